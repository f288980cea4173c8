"""Bulk ingest and re-index over HTTP: each starts a job."""

import hashlib
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from llmops_api.dependencies import BackendsDep, JobsDep, SettingsDep, WorldDep, WriterDep
from llmops_api.errors import (
    BadInput,
    ConflictError,
    FieldError,
    IdempotencyMismatch,
    MalformedBody,
    TooLarge,
)
from llmops_api.features.rag.ingest import INGEST, REINDEX, Upload, read_file, read_jsonl
from llmops_api.features.rag.schemas import JobStarted
from llmops_api.ports.state import Erase, StateStore
from llmops_api.problems import KEYED, problems
from llmops_api.responses import IDEMPOTENT, respond_once

router = APIRouter(
    prefix="/v1/worlds/{world}",
    tags=["Lore"],
    responses=KEYED,
)

BODIES = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "pattern": r"[^ \t\r\n]",
                    "description": "A document a line: the fields of a lore document, and `id`.",
                },
                "example": '{"id": "item/thimble", "title": "A thimble", "text": "Ede lost her thimble in the river."}\n',
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {"type": "string", "format": "binary"},
                            "description": "`.jsonl` as above; `.md` and `.txt` are a document each.",
                        }
                    },
                    "required": ["files"],
                    "additionalProperties": False,
                }
            },
        },
    }
}


@router.post(
    "/ingests",
    summary="Ingest many documents",
    status_code=202,
    response_model=JobStarted,
    openapi_extra={**BODIES, **IDEMPOTENT},
    responses=problems(MalformedBody, BadInput, TooLarge, ConflictError, IdempotencyMismatch),
)
async def ingest(
    request: Request,
    writer: WriterDep,
    world: WorldDep,
    backends: BackendsDep,
    jobs: JobsDep,
    settings: SettingsDep,
) -> Response:
    """JSON lines (`application/x-ndjson`), or files (`.jsonl`, `.md`, `.txt`) as a form. The answer is a job.

    A bad line is reported with its number and loses no other. Documents that are there already, word for word, are
    passed over. A field that we do not know is kept as metadata.
    """
    upload = Upload(f"ingest/{backends.new_id('upload')}", settings.max_document_chars)
    digest = await _read(request, upload, backends.state)
    if upload.count == 0 and not upload.errors:
        raise BadInput("The body holds no document.", [FieldError("", "is empty", "Send one JSON object a line.")])

    async def start() -> JobStarted:
        payload = {"stream": upload.stream, "total": upload.count}
        job = await jobs.start(INGEST, world.id, payload, errors=upload.errors)
        return JobStarted(
            job_id=job.id, kind=job.kind, status=job.status.value, accepted=upload.count, rejected=len(upload.errors)
        )

    try:
        return await respond_once(request, writer, digest, start, status=HTTPStatus.ACCEPTED)
    except BaseException:
        await backends.state.write(Erase(upload.stream))
        raise


async def _read(request: Request, upload: Upload, state: StateStore) -> bytes:
    """Read the body into the upload's stream; its digest."""
    digest = hashlib.sha256()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        async with request.form() as form:
            for _, part in form.multi_items():
                if isinstance(part, UploadFile):
                    content = await part.read()
                    digest.update(content)
                    read_file(part.filename or "", content, upload)
                    await upload.save(state, everything=True)
        return digest.digest()
    if media_type not in {"application/x-ndjson", "application/jsonl", "application/json", "text/plain"}:
        hint = "Send 'application/x-ndjson', or files as 'multipart/form-data'."
        raise BadInput("1 header is wrong.", [FieldError("Content-Type", "is none that can be ingested", hint)])
    await read_jsonl(request.stream(), upload, state, digest)
    return digest.digest()


@router.post(
    "/lore/reindex",
    summary="Build the index anew",
    status_code=202,
    response_model=JobStarted,
    openapi_extra=IDEMPOTENT,
    responses=problems(BadInput, ConflictError, IdempotencyMismatch),
)
async def reindex(request: Request, writer: WriterDep, world: WorldDep, jobs: JobsDep) -> Response:
    """With the embedder and the settings of today. The live index answers until the new one is complete."""

    async def start() -> JobStarted:
        job = await jobs.start(REINDEX, world.id, {})
        return JobStarted(job_id=job.id, kind=job.kind, status=job.status.value)

    return await respond_once(request, writer, b"", start, status=HTTPStatus.ACCEPTED)
