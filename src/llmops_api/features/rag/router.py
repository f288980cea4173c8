"""Lore over HTTP: documents, bulk ingest, search, ask, re-index."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response

from llmops_api.core.documents import chunks_of
from llmops_api.core.stopwatch import Stopwatch
from llmops_api.dependencies import (
    GameDep,
    IfMatch,
    LoreDep,
    ModelsDep,
    PromptsDep,
    ReaderDep,
    RetrieverDep,
    SettingsDep,
    WorldDep,
    WriterDep,
)
from llmops_api.errors import (
    FieldError,
    MalformedBody,
    TooLarge,
    VersionMismatch,
)
from llmops_api.features.rag.schemas import (
    AskRequest,
    AskResponse,
    DocumentReplacement,
    DocumentResponse,
    DocumentStored,
    GateOut,
    HitOut,
    SearchRequest,
    SearchResponse,
)
from llmops_api.features.rag.service import Ask
from llmops_api.paging import After, Limit, page_of
from llmops_api.problems import ACT_PROBLEMS, KEYED, MODEL_PROBLEMS, PROVIDER_PROBLEMS, problems
from llmops_api.responses import IDEMPOTENT, claim, json_response, respond
from llmops_api.schemas import PATH_ID, Page

ASK_EXAMPLES = {
    "lore": {"summary": "What the lore holds", "value": {"question": "When does the Ember Gate close?"}},
    "streamed": {
        "summary": "The same, streamed",
        "value": {"question": "How many houses burned in the Thatch Fire?", "stream": True},
    },
    "refused": {"summary": "What it does not hold", "value": {"question": "Who painted the Mona Lisa?"}},
}

router = APIRouter(
    prefix="/v1/worlds/{world}",
    tags=["Lore"],
    responses=KEYED,
)

DocumentId = Annotated[str, Path(pattern=PATH_ID, max_length=200, description="May hold `/`.")]


@router.get("/lore", summary="List lore documents")
async def list_documents(
    _reader: ReaderDep,
    world: WorldDep,
    lore: LoreDep,
    after: After,
    limit: Limit = 50,
    tag: Annotated[str | None, Query(max_length=100, description="Only documents with this tag.")] = None,
    kind: Annotated[str | None, Query(max_length=100, description="Only documents of this kind.")] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Only documents with this in their title or id.")
    ] = None,
) -> Page[DocumentResponse]:
    """The documents as writers gave them, by id."""
    found = await lore.matching(world, tag=tag, kind=kind, q=q, after=after, limit=limit + 1)
    return page_of(found, limit, key=lambda document: document.id, show=DocumentResponse.of)


@router.put(
    "/lore/{document_id:path}",
    summary="Create or replace a lore document",
    response_model=DocumentStored,
    responses={
        201: {"model": DocumentStored, "description": "Created"},
        **problems(MalformedBody, TooLarge, VersionMismatch, *PROVIDER_PROBLEMS),
    },
)
async def put_document(
    _writer: WriterDep,
    world: WorldDep,
    document_id: DocumentId,
    body: DocumentReplacement,
    lore: LoreDep,
    settings: SettingsDep,
    if_match: IfMatch,
) -> Response:
    """Store one document; it can be found as soon as this answers. The same content again changes nothing."""
    if len(body.text) > settings.max_document_chars:
        fault = FieldError("/text", f"is longer than {settings.max_document_chars} characters", "Split the document.")
        raise TooLarge("1 field is too long.", [fault])
    stored = await lore.put(world, body.document(document_id), expected_version=if_match)
    document = stored.document
    answer = DocumentStored(
        document_id=document.id, version=document.version, chunks=len(chunks_of(document)), changed=stored.changed
    )
    return json_response(
        answer, HTTPStatus.CREATED if stored.created else HTTPStatus.OK, {"etag": f'"{document.version}"'}
    )


@router.get("/lore/{document_id:path}", summary="Read a lore document")
async def get_document(
    _reader: ReaderDep, world: WorldDep, document_id: DocumentId, lore: LoreDep, response: Response
) -> DocumentResponse:
    """The document with its version."""
    document = await lore.get(world, document_id)
    response.headers["etag"] = f'"{document.version}"'
    return DocumentResponse.of(document)


@router.delete(
    "/lore/{document_id:path}", summary="Delete a lore document", status_code=204, responses=problems(VersionMismatch)
)
async def delete_document(
    _writer: WriterDep, world: WorldDep, document_id: DocumentId, lore: LoreDep, if_match: IfMatch
) -> None:
    """Remove a document; it is not found any more as soon as this answers."""
    await lore.delete(world, document_id, expected_version=if_match)


@router.post("/lore/search", summary="Search the lore", responses=problems(MalformedBody, TooLarge, *PROVIDER_PROBLEMS))
async def search(_reader: ReaderDep, world: WorldDep, body: SearchRequest, retriever: RetrieverDep) -> SearchResponse:
    """Keywords and vectors in one query, one hit a document; `in_lore` says whether the lore holds an answer at all."""
    found = await retriever.search(
        world, body.query, filter=body.filter.filter(), limit=body.limit, mode=body.mode, locale=body.locale
    )
    return SearchResponse(
        hits=[HitOut.of(hit, explain=body.explain) for hit in found.hits],
        in_lore=found.in_lore,
        gate=GateOut.of(found.verdict) if body.explain else None,
        lore_version=found.lore_version,
    )


@router.post(
    "/ask",
    summary="Ask the lore",
    response_model=AskResponse,
    openapi_extra=IDEMPOTENT,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(*ACT_PROBLEMS, *MODEL_PROBLEMS),
    },
)
async def ask(
    request: Request,
    principal: GameDep,
    world: WorldDep,
    body: Annotated[AskRequest, Body(openapi_examples=ASK_EXAMPLES)],
    retriever: RetrieverDep,
    models: ModelsDep,
    prompts: PromptsDep,
) -> Response:
    """An answer that stands on the lore, each citation a verbatim quote; what the lore does not hold is refused
    without asking a model. Whole, or as server-sent events (`delta`, `usage`, `done`, `error`)."""
    service = Ask(retriever, models, prompts)
    watch = Stopwatch(body.deadline_ms)
    receipt = await claim(request, principal, body, deadline=watch.deadline)
    return await respond(request, receipt, lambda _receipt: service.events(world, body, watch), stream=body.stream)
