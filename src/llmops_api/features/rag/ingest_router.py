"""Bulk ingest and re-index over HTTP: each starts a job."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from llmops_api.core.jobs import stream_of
from llmops_api.core.lore import REINDEX
from llmops_api.dependencies import BackendsDep, JobsDep, SettingsDep, WorldDep, WriterDep
from llmops_api.errors import (
    BadInput,
    ConflictError,
    FieldError,
    IdempotencyMismatch,
    MalformedBody,
    TooLarge,
    pointer,
)
from llmops_api.features.rag.ingest import INGEST
from llmops_api.features.rag.schemas import JobStarted
from llmops_api.features.rag.upload import Upload
from llmops_api.problems import KEYED, problems
from llmops_api.responses import IDEMPOTENT, respond_once

router = APIRouter(
    prefix="/v1/worlds/{world}",
    tags=["Lore"],
    responses=KEYED,
)

PIECE_BYTES = 64 * 1024
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
                            "description": "`.jsonl` as above; `.md` (with front matter, if you like) and `.txt` are a document each.",
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
    passed over. A field that we do not know is kept as metadata. Of two documents with one id the later counts, and the
    job says so.
    """
    job_id = await jobs.reserve()
    upload = Upload(backends.state, stream_of(job_id), settings.max_document_chars)

    async def start() -> JobStarted:
        job = await jobs.start(
            INGEST,
            world.id,
            job_id=job_id,
            total=len(upload.ids),
            errors=upload.errors,
            error_count=upload.error_count,
        )
        return JobStarted(
            job_id=job.id, kind=job.kind, status=job.status.value, accepted=job.total, rejected=job.error_count
        )

    try:
        await _read(request, upload)
        return await respond_once(request, writer, upload.digest, start, status=HTTPStatus.ACCEPTED)
    finally:
        # Refused, broken off, or sent before: no job works through it.
        await asyncio.shield(asyncio.ensure_future(jobs.abandon(job_id)))


async def _read(request: Request, upload: Upload) -> None:
    """Read the body into the upload's stream. Raises `BadInput` when there is nothing in it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        async with request.form() as form:
            for name, part in form.multi_items():
                if not isinstance(part, UploadFile):
                    raise BadInput(
                        "1 field is wrong.", [FieldError(pointer([name]), "is no file", "Send files alone.")]
                    )
                await upload.read_file(part.filename or "", _pieces(part))
    elif media_type in {"application/x-ndjson", "application/jsonl", "application/json", "text/plain"}:
        await upload.read_lines(request.stream())
    else:
        hint = "Send 'application/x-ndjson', or files as 'multipart/form-data'."
        raise BadInput("1 header is wrong.", [FieldError("Content-Type", "is none that can be ingested", hint)])
    await upload.save()
    if not upload.ids and not upload.error_count:
        hint = "Send one JSON object a line, or files in a form."
        raise BadInput("The body holds no document.", [FieldError("", "is empty", hint)])


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES):
        yield piece


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
        job = await jobs.start(REINDEX, world.id)
        return JobStarted(job_id=job.id, kind=job.kind, status=job.status.value)

    return await respond_once(request, writer, b"", start, status=HTTPStatus.ACCEPTED)
