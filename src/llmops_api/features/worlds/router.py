"""Worlds over HTTP."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from llmops_api.core.lore import REINDEX
from llmops_api.core.models import Models
from llmops_api.core.worlds import World
from llmops_api.dependencies import (
    IfMatch,
    JobsDep,
    LoreDep,
    ModelsDep,
    PrincipalDep,
    ReaderDep,
    RemovalDep,
    WorldDep,
    WorldId,
    WorldsDep,
    WriterDep,
)
from llmops_api.errors import (
    BadInput,
    ConflictError,
    FieldError,
    MalformedBody,
    TooLarge,
    UnknownModel,
    VersionMismatch,
)
from llmops_api.features.worlds.schemas import WorldRequest, WorldResponse
from llmops_api.paging import After, Limit, page_of
from llmops_api.problems import KEYED, problems
from llmops_api.responses import json_response
from llmops_api.schemas import Page

router = APIRouter(
    prefix="/v1/worlds",
    tags=["Worlds"],
    responses=KEYED,
)


@router.get("", summary="List the worlds")
async def list_worlds(
    principal: PrincipalDep, worlds: WorldsDep, after: After, limit: Limit = 50
) -> Page[WorldResponse]:
    """The worlds that this key may see, by id."""
    if principal.world is None:
        found = await worlds.list(after=after, limit=limit + 1)
    else:
        found = [await worlds.get(principal.world)]
    return page_of(found, limit, key=lambda world: world.id, show=WorldResponse.of)


@router.put(
    "/{world}",
    summary="Create or replace a world",
    response_model=WorldResponse,
    responses={
        201: {"model": WorldResponse, "description": "Created"},
        **problems(MalformedBody, TooLarge, ConflictError, VersionMismatch),
    },
)
async def put_world(
    _writer: WriterDep,
    world: WorldId,
    body: WorldRequest,
    worlds: WorldsDep,
    removal: RemovalDep,
    lore: LoreDep,
    jobs: JobsDep,
    models: ModelsDep,
    if_match: IfMatch,
) -> Response:
    """Declare a game's namespace. Its lore and characters are left as they are; lore is indexed anew when the language
    of the world has changed.
    """
    given = World(
        id=world,
        title=body.title,
        description=body.description,
        locale=body.locale,
        dialogue=body.dialogue.model_dump(exclude_none=True),
        gate_threshold=body.gate_threshold,
    )
    if body.dialogue.model is not None:
        _require_open(body.dialogue.model, models)
    await removal.finish(world)
    stored, created = await worlds.put(given, expected_version=if_match)
    if await lore.is_outdated(stored):
        await jobs.start(REINDEX, world)
    return json_response(
        WorldResponse.of(stored), HTTPStatus.CREATED if created else HTTPStatus.OK, {"etag": f'"{stored.version}"'}
    )


def _require_open(model: str, models: Models) -> None:
    try:
        models.resolve(model)
    except UnknownModel as error:
        fault = FieldError("/dialogue/model", error.message, "GET /v1/models lists what there is.")
        raise BadInput("1 field is wrong.", [fault]) from error


@router.get("/{world}", summary="Read a world")
async def get_world(_reader: ReaderDep, world: WorldDep, response: Response) -> WorldResponse:
    """The world with its version."""
    response.headers["etag"] = f'"{world.version}"'
    return WorldResponse.of(world)


@router.delete("/{world}", summary="Delete a world", status_code=204, responses=problems(VersionMismatch))
async def delete_world(_writer: WriterDep, world: WorldId, removal: RemovalDep, if_match: IfMatch) -> None:
    """Remove the world with its lore, its characters and its conversations. This cannot be undone.

    It is gone from sight at once; what stood in it follows, after a crash too. Jobs in it are cancelled.
    """
    await removal.remove(world, expected_version=if_match)
