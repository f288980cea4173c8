"""Bringing a world in from its file: by one job, out of everybody's sight until it is whole, on from where a crash cut it
off."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby

from llmops_api.core.characters import CHARACTER, CHARACTER_VERSION, filed
from llmops_api.core.conversations import CONVERSATION, Conversation
from llmops_api.core.jobs import Jobs
from llmops_api.core.lore import DOCUMENT
from llmops_api.core.removal import Removal
from llmops_api.core.world_files import Entry, Kind
from llmops_api.core.worlds import IMPORTING, REMOVAL, WORLD, LorePointer, World, Worlds
from llmops_api.errors import ConflictError, NotFound, VersionMismatch
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import Append, Change, Delete, Erase, Put, Record, Restore, StateStore

_PAGE = 500
_LOST = "The world was deleted while it was imported."


@dataclass(frozen=True, slots=True)
class Hold:
    """A world's name in the hands of the job that imports into it: there is no world yet, and nobody else can make one.

    What stands in the job's stream up to `position` is written. Each write raises `version`, so that a job which has
    lost the name writes nothing more.
    """

    world_id: str
    job_id: str
    position: int = 0
    version: int = 0

    @property
    def put(self) -> Put:
        return Put(IMPORTING, self.world_id, {"job_id": self.job_id, "position": self.position}, self.version)


@dataclass(frozen=True, slots=True)
class WorldImports:
    """The imports into all worlds."""

    state: StateStore
    lore: LoreIndex
    worlds: Worlds
    removal: Removal
    jobs: Jobs

    async def make_room(self, world_id: str) -> None:
        """Remove what an import that was cut off has left under this name, or a world that was deleted.

        Raises `ConflictError` when there is a world of the name, or a job that imports one.
        """
        if await self.state.get(WORLD, world_id):
            raise ConflictError("There is a world of this name. Delete it first, or import under another name.")
        mark = await self.state.get(IMPORTING, world_id)
        if mark and not (await self.jobs.get(mark.value["job_id"])).ended:
            raise ConflictError(f"{mark.value['job_id']} is importing a world of this name.")
        await self.removal.finish(world_id)
        if mark:
            with suppress(NotFound):
                await self.removal.remove(world_id, expected_version=0)

    async def take(self, world: World, job_id: str) -> Hold:
        """Take the name for this job, or go on with what it holds. Raises `ConflictError` when somebody else has it."""
        mark = await self.state.get(IMPORTING, world.id)
        if mark and mark.value["job_id"] == job_id:
            hold = Hold(world.id, job_id, mark.value["position"], mark.version)
            return hold if hold.position else await self._forget(hold)
        hold = Hold(world.id, job_id)
        index = await self.worlds.new_index(world.locale)
        nobody = [Delete(kind, world.id, expected_version=0) for kind in (WORLD, REMOVAL)]
        try:
            version, *_ = await self.state.write(hold.put, LorePointer(index).put(world.id), *nobody)
        except VersionMismatch as error:
            await self.lore.drop(index.name)
            raise ConflictError("Somebody else has made a world of this name meanwhile.") from error
        return await self._forget(replace(hold, version=version))

    async def _forget(self, hold: Hold) -> Hold:
        """Drop the numbers that an earlier world of this name has left: those of the file count."""
        for kind in (DOCUMENT, CHARACTER, CHARACTER_VERSION):
            while records := await self._left(kind, hold.world_id):
                hold = await self._write(hold, [Delete(kind, record.key, forget=True) for record in records])
        return hold

    async def _left(self, kind: str, world_id: str) -> list[Record]:
        return await self.state.list(kind, prefix=f"{world_id}/", limit=_PAGE, deleted=True)

    async def write(self, hold: Hold, entries: Sequence[Entry], position: int) -> Hold:
        """Write the entries that stand at this position of the job's stream; all but the world itself."""
        return await self._write(replace(hold, position=position), list(_changes(entries, hold.world_id)))

    async def _write(self, hold: Hold, changes: Sequence[Change]) -> Hold:
        try:
            version, *_ = await self.state.write(hold.put, *changes)
        except VersionMismatch as error:
            raise ConflictError(_LOST) from error
        return replace(hold, version=version)

    async def finish(self, hold: Hold, world: Entry, *also: Change) -> None:
        """The world appears, whole."""
        appears = Restore(WORLD, hold.world_id, world.number, world.value, world.at)
        try:
            await self.state.write(Delete(IMPORTING, hold.world_id, hold.version, forget=True), appears, *also)
        except VersionMismatch as error:
            raise ConflictError(_LOST) from error


def _changes(entries: Iterable[Entry], world_id: str) -> Iterator[Change]:
    for holder, group in groupby(entries, key=lambda entry: entry.holder):
        if holder and holder[0] is Kind.CONVERSATION:
            yield _turns(f"{CONVERSATION}/{world_id}/{holder[1]}", list(group))
        else:
            for entry in group:
                yield from _restored(entry, f"{world_id}/{entry.id}")


def _turns(stream: str, turns: Sequence[Entry]) -> Append:
    values = tuple(turn.value or {} for turn in turns)
    return Append(stream, values, turns[0].number - 1, tuple(turn.at for turn in turns))


def _restored(entry: Entry, key: str) -> Iterator[Change]:
    """One entry as it is kept here; what is derived from it is made anew."""
    match entry.kind:
        case Kind.WORLD:
            return
        case Kind.CHARACTER_VERSION:
            yield filed(key, entry.number, entry.value or {}, entry.at)
        case Kind.CONVERSATION:
            yield Restore(entry.kind, key, entry.number, entry.value, entry.at)
            conversation = Conversation.of(Record(entry.kind, key, entry.number, entry.value or {}, entry.at))
            yield from (Put(kind, listed, conversation.fields) for kind, listed in conversation.index_keys.items())
            yield Erase(conversation.stream)
        case _:
            yield Restore(entry.kind, key, entry.number, entry.value, entry.at)
