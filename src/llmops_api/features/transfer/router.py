"""A world as a file, out and in."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from llmops_api.body_limit import lift_body_limit
from llmops_api.body_lines import line_limit
from llmops_api.core.jobs import stream_of
from llmops_api.core.world_export import exported
from llmops_api.core.world_files import MEDIA_TYPE
from llmops_api.dependencies import (
    AdminDep,
    BackendsDep,
    ImportsDep,
    JobsDep,
    SettingsDep,
    WorldDep,
    WorldId,
)
from llmops_api.errors import BadInput, ConflictError, IdempotencyMismatch
from llmops_api.features.transfer.example import EXAMPLE
from llmops_api.features.transfer.importing import IMPORT
from llmops_api.features.transfer.schemas import ImportStarted
from llmops_api.features.transfer.upload import Upload
from llmops_api.problems import KEYED, problems
from llmops_api.responses import IDEMPOTENT, respond_once

router = APIRouter(prefix="/v1/worlds/{world}", tags=["Worlds"], responses=KEYED)

FILE: dict[str, Any] = {"schema": {"type": "string", "format": "world-file"}, "example": EXAMPLE}


@router.get(
    "/export",
    summary="Export a world",
    response_class=StreamingResponse,
    responses={200: {"description": "The file.", "content": {MEDIA_TYPE: FILE}}},
)
async def export_world(_admin: AdminDep, world: WorldDep, backends: BackendsDep) -> StreamingResponse:
    """The whole world as one file of JSON lines: its record, its lore, its characters with all their versions, its
    conversations with all their turns. Without keys, jobs and vectors, so that the same world is the same file wherever
    it stands. Each record is as it is when it is read, others may go on writing. A file that was cut off lacks its last
    line, and no import takes it."""
    headers = {"content-disposition": f'attachment; filename="{world.id}.jsonl"'}
    return StreamingResponse(exported(backends.state, world.id), media_type=MEDIA_TYPE, headers=headers)


@router.post(
    "/import",
    summary="Import a world",
    status_code=202,
    response_model=ImportStarted,
    openapi_extra={**IDEMPOTENT, "requestBody": {"required": True, "content": {MEDIA_TYPE: FILE}}},
    responses=problems(BadInput, ConflictError, IdempotencyMismatch),
)
async def import_world(
    request: Request,
    admin: AdminDep,
    world: WorldId,
    backends: BackendsDep,
    jobs: JobsDep,
    imports: ImportsDep,
    settings: SettingsDep,
) -> Response:
    """Take the file of an export, under this name or another than it had. The answer is a job.

    The whole file is checked first: one that was cut off or changed, or that holds what this release does not know, is
    refused with the number of the line, and nothing is written. The world appears when it is whole. A name that a world
    has already is refused with 409.
    """
    lift_body_limit(request.scope)
    job_id = await jobs.reserve()
    upload = Upload(backends.state, stream_of(job_id), line_limit(settings.max_document_chars))

    async def start() -> ImportStarted:
        await imports.make_room(world)
        job = await jobs.start(IMPORT, world, job_id=job_id, total=upload.steps)
        return ImportStarted(job_id=job.id, kind=job.kind, status=job.status.value, counts=upload.counts)

    try:
        await upload.read(request.stream())
        return await respond_once(request, admin, upload.digest, start, status=HTTPStatus.ACCEPTED)
    finally:
        # Refused, broken off, or sent before: no job works through it.
        await asyncio.shield(asyncio.ensure_future(jobs.abandon(job_id)))
