"""What a router may ask for, so that a route's parameters read like prose."""

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from llmops_api.core.characters import Characters
from llmops_api.core.conversations import Conversations
from llmops_api.core.jobs import Jobs
from llmops_api.core.keys import Keys, Principal, Scope
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.models import Models
from llmops_api.core.prompts import PromptLibrary
from llmops_api.core.retrieval import Retriever
from llmops_api.core.worlds import World, Worlds
from llmops_api.errors import AuthenticationError, BadInput, FieldError, NotFound
from llmops_api.ports.backends import Backends
from llmops_api.schemas import ID
from llmops_api.settings import Settings

WorldId = Annotated[str, Path(pattern=ID, max_length=128, description="The world's id.", examples=["emberfall"])]
bearer = HTTPBearer(
    auto_error=False, description="A key of this service: `llmops_...`, or the admin key of its settings."
)


async def _token(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    if credentials is None:
        raise AuthenticationError("Send a key: 'Authorization: Bearer llmops_...'.")
    return credentials.credentials


TokenDep = Annotated[str, Depends(_token)]


async def _principal(request: Request, token: TokenDep) -> Principal:
    keys: Keys = request.app.state.keys
    principal = await keys.authenticate(token)
    world = request.path_params.get("world")
    if world is not None and not principal.may_see(world):
        raise NotFound("There is no such world, or this key may not see it.")
    return principal


PrincipalDep = Annotated[Principal, Depends(_principal)]


async def _game(principal: PrincipalDep) -> Principal:
    principal.require(Scope.GAME)
    return principal


async def _writer(principal: PrincipalDep) -> Principal:
    principal.require(Scope.WRITER)
    return principal


async def _reader(principal: PrincipalDep) -> Principal:
    principal.require_any(Scope.GAME, Scope.WRITER)
    return principal


async def _admin(principal: PrincipalDep) -> Principal:
    principal.require(Scope.ADMIN)
    return principal


async def _world(request: Request, world: WorldId) -> World:
    worlds: Worlds = request.app.state.worlds
    return await worlds.get(world)


async def _if_match(
    if_match: Annotated[
        str | None, Header(description='The `ETag` that the record must still have, such as `"3"`.')
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    version = if_match.strip().removeprefix("W/").strip('"')
    if not version.isdecimal():
        raise BadInput(
            "1 header is wrong.", [FieldError("If-Match", "is not a version", 'Send the ETag, such as "3".')]
        )
    return int(version)


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(min_length=1, max_length=255, description="A new one for each act, the same one for each retry of it."),
    ] = None,
) -> str | None:
    return idempotency_key


GameDep = Annotated[Principal, Depends(_game)]
WriterDep = Annotated[Principal, Depends(_writer)]
ReaderDep = Annotated[Principal, Depends(_reader)]
AdminDep = Annotated[Principal, Depends(_admin)]
WorldDep = Annotated[World, Depends(_world)]
IfMatch = Annotated[int | None, Depends(_if_match)]
IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]


def _opened(name: str) -> Any:
    """What the front door opened under this name when the service started."""

    async def opened(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(opened)


SettingsDep = Annotated[Settings, _opened("settings")]
BackendsDep = Annotated[Backends, _opened("backends")]
KeysDep = Annotated[Keys, _opened("keys")]
WorldsDep = Annotated[Worlds, _opened("worlds")]
LoreDep = Annotated[LoreLibrary, _opened("lore")]
RetrieverDep = Annotated[Retriever, _opened("retriever")]
ModelsDep = Annotated[Models, _opened("models")]
PromptsDep = Annotated[PromptLibrary, _opened("prompts")]
JobsDep = Annotated[Jobs, _opened("jobs")]
CharactersDep = Annotated[Characters, _opened("characters")]
ConversationsDep = Annotated[Conversations, _opened("conversations")]
