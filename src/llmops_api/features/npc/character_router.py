"""Characters over HTTP."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response

from llmops_api.dependencies import CharactersDep, IfMatch, ReaderDep, WorldDep, WriterDep
from llmops_api.errors import MalformedBody, TooLarge, VersionMismatch
from llmops_api.features.npc.schemas import CharacterRequest, CharacterResponse, CharacterVersionResponse
from llmops_api.paging import After, AfterNumber, Limit, page_of
from llmops_api.problems import KEYED, problems
from llmops_api.responses import json_response
from llmops_api.schemas import ID, Page

router = APIRouter(prefix="/v1/worlds/{world}/characters", tags=["Characters"], responses=KEYED)

CharacterId = Annotated[str, Path(pattern=ID, max_length=128, description="The character's id.")]


EXAMPLES = {
    "lamplighter": {
        "summary": "A character who knows what everybody knows",
        "value": {
            "name": "Ness the lamplighter",
            "description": "Lights the wicks of the lower town at dusk, and hears more than she repeats.",
            "personality": "Dry, quick, soft on children and cats.",
            "greeting": "Mind the ladder. It minds nobody.",
            "example_dialogue": "{{user}}: Busy night?\n{{char}}: Forty wicks and a wind. You tell me.",
            "knowledge": {"tags": ["common"]},
            "fallback_lines": ["Hold the ladder a moment.", "Wick's gone out. Ask me in a bit."],
            "unknown_lines": ["Not on my round, that.", "I light lamps. I don't light that one."],
            "voice": {"style": "Short sentences. Talks about weather and oil."},
            "locales": ["en"],
        },
    }
}


@router.get("", summary="List characters")
async def list_characters(
    _reader: ReaderDep, world: WorldDep, characters: CharactersDep, after: After, limit: Limit = 50
) -> Page[CharacterResponse]:
    """The characters of the world, by id."""
    found = await characters.list(world.id, after=after, limit=limit + 1)
    return page_of(found, limit, key=lambda character: character.id, show=CharacterResponse.of)


@router.put(
    "/{character}",
    summary="Create or replace a character",
    response_model=CharacterResponse,
    responses={
        201: {"model": CharacterResponse, "description": "Created"},
        **problems(MalformedBody, TooLarge, VersionMismatch),
    },
)
async def put_character(
    _writer: WriterDep,
    world: WorldDep,
    character: CharacterId,
    body: Annotated[CharacterRequest, Body(openapi_examples=EXAMPLES)],
    characters: CharactersDep,
    if_match: IfMatch,
) -> Response:
    """Store the character whole; the next line is the new version's. The same content again changes nothing."""
    stored, created = await characters.put(world.id, body.as_character(character), expected_version=if_match)
    headers = {"etag": f'"{stored.version}"'}
    return json_response(CharacterResponse.of(stored), HTTPStatus.CREATED if created else HTTPStatus.OK, headers)


@router.get("/{character}", summary="Read a character")
async def get_character(
    _reader: ReaderDep,
    world: WorldDep,
    character: CharacterId,
    characters: CharactersDep,
    response: Response,
    version: Annotated[
        int | None, Query(ge=1, lt=2**63, description="An earlier version; else the current one.")
    ] = None,
) -> CharacterResponse:
    """The character as it stands, or as it stood at a version."""
    found = await characters.get(world.id, character, version=version)
    response.headers["etag"] = f'"{found.version}"'
    return CharacterResponse.of(found)


@router.get("/{character}/versions", summary="List a character's versions")
async def list_versions(
    _reader: ReaderDep,
    world: WorldDep,
    character: CharacterId,
    characters: CharactersDep,
    before: AfterNumber,
    limit: Limit = 50,
) -> Page[CharacterVersionResponse]:
    """Every version that there was, newest first."""
    found = await characters.versions(world.id, character, before=before, limit=limit + 1)
    return page_of(found, limit, key=lambda each: str(each.version), show=CharacterVersionResponse.of)


@router.delete("/{character}", summary="Delete a character", status_code=204, responses=problems(VersionMismatch))
async def delete_character(
    _writer: WriterDep, world: WorldDep, character: CharacterId, characters: CharactersDep, if_match: IfMatch
) -> None:
    """Remove the character with all its versions. Its conversations stay."""
    await characters.delete(world.id, character, expected_version=if_match)
