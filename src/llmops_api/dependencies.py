"""What a router may ask for, so that a route's parameters read like prose."""

from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from llmops_api.core.characters import Characters
from llmops_api.core.conversations import Conversations
from llmops_api.core.jobs import Jobs
from llmops_api.core.keys import Keys, Principal, Scope
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.models import Models
from llmops_api.core.prompts import PromptLibrary
from llmops_api.core.removal import Removal
from llmops_api.core.retrieval import Retriever
from llmops_api.core.world_import import WorldImports
from llmops_api.core.worlds import World, Worlds
from llmops_api.errors import AuthenticationError, BadInput, FieldError, NotFound
from llmops_api.ports.backends import Backends
from llmops_api.schemas import ID
from llmops_api.settings import Settings

IF_MATCH = r'^(\*|(W/)?"?[0-9]{1,18}"?)$'
WorldId = Annotated[str, Path(pattern=ID, max_length=128, description="The world's id.")]


async def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationError("Send a key: 'Authorization: Bearer llmops_...'.")
    return token


TokenDep = Annotated[str, Depends(_token)]


def _refuse_unknown(request: Request) -> None:
    """A query parameter that the route does not know is most often a misspelt one, and would be passed over."""
    paths = request.app.openapi()["paths"]
    operation = paths.get(request.scope["route"].path, {}).get(request.method.lower(), {})
    known = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    unknown = [name for name in dict.fromkeys(request.query_params.keys()) if name not in known]
    if unknown:
        hint = f"There are: {', '.join(sorted(known))}." if known else "Remove it: there are none here."
        wrong = "1 field is wrong." if len(unknown) == 1 else f"{len(unknown)} fields are wrong."
        raise BadInput(wrong, [FieldError(name, "is no query parameter of this route", hint) for name in unknown])


class KeyWith(SecurityBase):
    """Who is calling, with a key that has one of the scopes and may see the path's world.

    All in one dependency: FastAPI takes some 10 us for each, which every request of a game would pay.
    """

    scheme_name = "HTTPBearer"
    model = HTTPBearer(description="A key of this service: `llmops_...`, or the admin key of its settings.")

    def __init__(self, *scopes: Scope, in_outage: bool = False) -> None:
        self._scopes = scopes
        self._in_outage = in_outage

    async def __call__(self, request: Request) -> Principal:
        keys: Keys = request.app.state.keys
        principal = await keys.authenticate(await _token(request), in_outage=self._in_outage)
        world = request.path_params.get("world")
        if world is not None and not principal.may_see(world):
            raise NotFound("There is no such world, or this key may not see it.")
        principal.require(*self._scopes)
        if request.scope["query_string"]:
            _refuse_unknown(request)
        return principal


async def _world(request: Request, world: WorldId) -> World:
    worlds: Worlds = request.app.state.worlds
    return await worlds.get(world)


async def _if_match(
    if_match: Annotated[
        str, Header(pattern=IF_MATCH, description='The `ETag` that the record must still have, such as `"3"`.')
    ] = "*",
) -> int | None:
    return None if if_match == "*" else int(if_match.removeprefix("W/").strip('"'))


PrincipalDep = Annotated[Principal, Depends(KeyWith(*Scope))]
GameDep = Annotated[Principal, Depends(KeyWith(Scope.GAME))]
TalkerDep = Annotated[Principal, Depends(KeyWith(Scope.GAME, in_outage=True))]
"""For what is answered while the state store is away: an authored line, and nothing kept."""
WriterDep = Annotated[Principal, Depends(KeyWith(Scope.WRITER))]
ReaderDep = Annotated[Principal, Depends(KeyWith(Scope.GAME, Scope.WRITER))]
AdminDep = Annotated[Principal, Depends(KeyWith(Scope.ADMIN))]
WorldDep = Annotated[World, Depends(_world)]
IfMatch = Annotated[int | None, Depends(_if_match)]


def _opened(name: str) -> Any:
    """What the front door opened under this name when the service started."""

    async def opened(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(opened)


SettingsDep = Annotated[Settings, _opened("settings")]
BackendsDep = Annotated[Backends, _opened("backends")]
KeysDep = Annotated[Keys, _opened("keys")]
WorldsDep = Annotated[Worlds, _opened("worlds")]
ImportsDep = Annotated[WorldImports, _opened("imports")]
RemovalDep = Annotated[Removal, _opened("removal")]
LoreDep = Annotated[LoreLibrary, _opened("lore")]
RetrieverDep = Annotated[Retriever, _opened("retriever")]
ModelsDep = Annotated[Models, _opened("models")]
PromptsDep = Annotated[PromptLibrary, _opened("prompts")]
JobsDep = Annotated[Jobs, _opened("jobs")]
CharactersDep = Annotated[Characters, _opened("characters")]
ConversationsDep = Annotated[Conversations, _opened("conversations")]
