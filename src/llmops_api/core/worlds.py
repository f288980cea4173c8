"""Worlds: one game's namespace each, and which lore index is live in it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from llmops_api.core.terms import language_of
from llmops_api.errors import ConflictError, NotFound, VersionMismatch
from llmops_api.ports.embedding import Embedder
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import Delete, Put, Record, Require, StateStore

WORLD = "world"
POINTER = "lore-pointer"
REMOVAL = "world-removal"
"""What is left of a world that is gone from sight while what stood in it is being removed."""
IMPORTING = "world-import"
"""Which job holds the name of a world that is not there yet (`core/world_import.py`)."""
_CHANGED = "The world has another version by now; read it again."
UNKNOWN = "There is no such world, or this key may not see it."


@dataclass(frozen=True, slots=True)
class World:
    """`locale` is a language tag (`en`, `pt-BR`); `dialogue` holds the world's defaults for NPC dialogue."""

    id: str
    title: str
    description: str = ""
    locale: str = "en"
    dialogue: Mapping[str, Any] = field(default_factory=dict)
    gate_threshold: float | None = None
    version: int = 0

    @classmethod
    def of(cls, record: Record) -> "World":
        return cls(id=record.key, version=record.version, **record.value)

    @property
    def fields(self) -> dict[str, Any]:
        """What a writer gave, without the id and the version."""
        return {name: value for name, value in asdict(self).items() if name not in {"id", "version"}}


@dataclass(frozen=True, slots=True)
class IndexRef:
    """A lore index, the embedder of its vectors (empty: keywords alone) and the language of its keywords."""

    name: str
    embedder_id: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class LorePointer:
    """`live` is searched; `building`, while a re-index runs, is written beside it."""

    live: IndexRef
    building: IndexRef | None = None
    version: int = 0

    @classmethod
    def of(cls, record: Record) -> "LorePointer":
        building = record.value["building"]
        return cls(IndexRef(**record.value["live"]), IndexRef(**building) if building else None, record.version)

    @property
    def written(self) -> tuple[IndexRef, ...]:
        """The indexes that every change of lore goes to."""
        return (self.live, self.building) if self.building else (self.live,)

    def put(self, world_id: str) -> Put:
        """The change that stores this pointer, unless another replica moved it first."""
        value = {"live": asdict(self.live), "building": asdict(self.building) if self.building else None}
        return Put(POINTER, world_id, value, expected_version=self.version)


class Worlds:
    """The worlds as records of the state store, each with a lore index from its first moment."""

    def __init__(
        self, state: StateStore, lore: LoreIndex, embedder: Embedder | None, new_id: Callable[[str], str]
    ) -> None:
        self._state = state
        self._lore = lore
        self._embedder = embedder
        self._new_id = new_id

    async def put(self, world: World, *, expected_version: int | None = None) -> tuple[World, bool]:
        """Create or replace; the world as stored, and whether it is new.

        Raises `VersionMismatch` when `expected_version` is not the current one (0: there must be none).
        """
        current = await self._state.get(WORLD, world.id)
        if expected_version not in {None, current.version if current else 0}:
            raise VersionMismatch(_CHANGED)
        if current is None and await self._state.get(IMPORTING, world.id):
            raise ConflictError("A world of this name is being imported, or its import was cut off: delete it first.")
        if current and current.value == world.fields:
            return World.of(current), False
        version = await self._write(Put(WORLD, world.id, world.fields, expected_version))
        return replace(world, version=version), current is None

    async def _write(self, put: Put) -> int:
        """The new version; of several first writers one gives the world its index."""
        if await self._state.get(POINTER, put.key) is None:
            index = await self.new_index(put.value["locale"])
            not_leaving = Delete(REMOVAL, put.key, expected_version=0, forget=True)
            with suppress(VersionMismatch):
                return (await self._state.write(put, LorePointer(index).put(put.key), not_leaving))[0]
            await self._lore.drop(index.name)
        try:
            not_importing = Delete(IMPORTING, put.key, expected_version=0, forget=True)
            return (await self._state.write(put, Require(POINTER, put.key), not_importing))[0]
        except NotFound as error:
            raise ConflictError("The world is being deleted; try again in a moment.") from error
        except VersionMismatch as error:
            if put.expected_version is not None:
                raise
            raise ConflictError("The world is being imported; try again in a moment.") from error

    async def new_index(self, locale: str) -> IndexRef:
        """An empty index for the embedder of today and a world of this locale."""
        index = IndexRef(self._new_id("lore"), self._embedder.id if self._embedder else "", language_of(locale))
        dimensions = self._embedder.dimensions if self._embedder else 0
        await self._lore.create(index.name, embedder_id=index.embedder_id, dimensions=dimensions)
        return index

    async def get(self, world_id: str) -> World:
        """Raises `NotFound`."""
        record = await self._state.get(WORLD, world_id)
        if record is None:
            raise NotFound(UNKNOWN)
        return World.of(record)

    async def pointer(self, world_id: str) -> LorePointer:
        """Raises `NotFound` when the world is gone."""
        record = await self._state.get(POINTER, world_id)
        if record is None:
            raise NotFound(UNKNOWN)
        return LorePointer.of(record)

    async def move(self, world_id: str, pointer: LorePointer) -> LorePointer:
        """Store a moved pointer. Raises `VersionMismatch` when another replica moved it first."""
        (version,) = await self._state.write(pointer.put(world_id))
        return replace(pointer, version=version)

    async def list(self, *, after: str = "", limit: int = 100) -> list[World]:
        """By id, past the id `after`."""
        return [World.of(record) for record in await self._state.list(WORLD, after=after, limit=limit)]

    async def hide(self, world_id: str, *, expected_version: int | None = None) -> None:
        """Take the world from sight: from now on nothing is written into it. Raises `NotFound`, `VersionMismatch`."""
        while True:
            pointer = await self.pointer(world_id)
            leaving = Put(REMOVAL, world_id, {"indexes": [index.name for index in pointer.written]})
            try:
                await self._state.write(
                    Delete(POINTER, world_id, pointer.version),
                    Delete(WORLD, world_id, expected_version),
                    Delete(IMPORTING, world_id, forget=True),
                    leaving,
                )
            except VersionMismatch:
                if expected_version not in {None, (await self.get(world_id)).version}:
                    raise
                continue  # a re-index began or ended meanwhile
            return


def inside(world_id: str) -> Require:
    """Goes with every write of what stands in a world, so that nothing outlives it."""
    return Require(WORLD, world_id)
