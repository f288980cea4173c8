"""Reading a world out of the state store into its file, a page at a time, while others go on writing to it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import datetime

from llmops_api.core.characters import CHARACTER, CHARACTER_VERSION
from llmops_api.core.conversations import CONVERSATION, LAST_AUTHORED
from llmops_api.core.lore import DOCUMENT
from llmops_api.core.world_files import Entry, Kind, Seal, header_of
from llmops_api.core.worlds import UNKNOWN, WORLD
from llmops_api.errors import NotFound
from llmops_api.ports.state import Record, StateStore

PIECE_BYTES = 64 * 1024
_PAGE = 64


async def exported(state: StateStore, world_id: str) -> AsyncGenerator[bytes, None]:
    """The file, in pieces. Each record is as it was when it was read; of two that are changed meanwhile, one may be
    older. Raises `NotFound` when the world is deleted meanwhile: without its end the file is worth nothing."""
    seal, piece = Seal(), header_of(world_id) + b"\n"
    seal.add(header_of(world_id))
    async with aclosing(_entries(state, world_id)) as entries:
        async for entry in entries:
            line = entry.line
            seal.add(line, entry.kind)
            piece += line + b"\n"
            if len(piece) >= PIECE_BYTES:
                yield piece
                piece = b""
    await _world(state, world_id)
    yield piece + seal.line + b"\n"


async def _entries(state: StateStore, world_id: str) -> AsyncGenerator[Entry, None]:
    """All there is to tell of a world, in the order of the file."""
    world = await _world(state, world_id)
    yield Entry(Kind.WORLD, world_id, world.version, world.updated_at, world.value)
    async for record in _records(state, DOCUMENT, world_id, deleted=True):
        yield _entry(Kind.DOCUMENT, world_id, record)
    async for record in _records(state, CHARACTER, world_id, deleted=True):
        yield (character := _entry(Kind.CHARACTER, world_id, record))
        async for replaced in _records(state, CHARACTER_VERSION, record.key):
            version = int(replaced.key.rpartition("/")[2])
            # What has replaced this character since belongs to a file of later.
            if version < character.number:
                written = datetime.fromisoformat(replaced.value["updated_at"])
                yield Entry(Kind.CHARACTER_VERSION, character.id, version, written, replaced.value["character"])
    async for record in _records(state, CONVERSATION, world_id):
        yield (conversation := _entry(Kind.CONVERSATION, world_id, record))
        async for turn in _turns(state, conversation.id, f"{CONVERSATION}/{record.key}"):
            yield turn
    async for record in _records(state, LAST_AUTHORED, world_id):
        yield _entry(Kind.LAST_AUTHORED, world_id, record)


async def _world(state: StateStore, world_id: str) -> Record:
    world = await state.get(WORLD, world_id)
    if world is None:
        raise NotFound(UNKNOWN)
    return world


async def _records(state: StateStore, kind: str, folder: str, *, deleted: bool = False) -> AsyncIterator[Record]:
    """Those under `folder/`, by key."""
    after = ""
    while records := await state.list(kind, prefix=f"{folder}/", after=after, limit=_PAGE, deleted=deleted):
        for record in records:
            yield record
        after = records[-1].key


async def _turns(state: StateStore, conversation_id: str, stream: str) -> AsyncIterator[Entry]:
    last = 0
    while events := await state.read(stream, after=last, limit=_PAGE):
        for event in events:
            yield Entry(Kind.TURN, conversation_id, event.position, event.recorded_at, event.value)
        last = events[-1].position


def _entry(kind: Kind, world_id: str, record: Record) -> Entry:
    value = None if record.deleted else record.value
    return Entry(kind, record.key.removeprefix(f"{world_id}/"), record.version, record.updated_at, value)
