"""A world's lore: documents as records of the state store, kept findable in the lore index.

The record is the truth and its version the order of things; the index follows. Whatever a crash leaves between the
two, `sync` mends: it compares versions and writes what differs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from llmops_api.core.documents import Document, chunks_of, entries_of
from llmops_api.core.terms import language_of
from llmops_api.core.worlds import IndexRef, LorePointer, World, Worlds, inside
from llmops_api.errors import ConflictError, DocumentsRefused, NotFound, VersionMismatch
from llmops_api.ports.embedding import Embedder, InputType
from llmops_api.ports.lore_index import LoreIndex, Query, Tombstone, Vector
from llmops_api.ports.state import Delete, Put, Record, Require, StateStore

log = logging.getLogger(__name__)

DOCUMENT = "lore-document"
REINDEX = "reindex"
"""The kind of the job that calls `LoreLibrary.rebuild`."""
_LOOKS = 5
PAGE = 64
"""Documents that are embedded and written together: a few seconds of work, so that progress is seen."""

Progress = Callable[[int, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one document: as it now stands, and whether it is new or other than before.

    `refused` is why the lore index cannot hold it; nothing of it is kept then, and what was there before still is.
    """

    document: Document
    created: bool
    changed: bool
    refused: str = ""


class LoreLibrary:
    """Documents in, documents out, and the index in step with them."""

    def __init__(self, state: StateStore, index: LoreIndex, embedder: Embedder | None, worlds: Worlds) -> None:
        self._state = state
        self._index = index
        self._embedder = embedder
        self._worlds = worlds

    async def put(self, world: World, document: Document, *, expected_version: int | None = None) -> Stored:
        """Store one document; when this returns, the next search finds it.

        Raises `VersionMismatch`, and `DocumentsRefused` when the index cannot hold it.
        """
        (stored,) = await self._store(world, [document], expected_version)
        if stored.refused:
            raise DocumentsRefused({document.id: stored.refused})
        return stored

    async def put_many(self, world: World, documents: Sequence[Document], *also: Require) -> list[Stored]:
        """Store documents together, while what is `also` required is there; of two with one id the later counts.

        Unchanged ones are not embedded again.
        """
        return await self._store(world, list({each.id: each for each in documents}.values()), None, also)

    async def _store(
        self,
        world: World,
        documents: Sequence[Document],
        expected_version: int | None,
        also: Sequence[Require] = (),
    ) -> list[Stored]:
        keys = [f"{world.id}/{each.id}" for each in documents]
        before = await self._state.get_many(DOCUMENT, keys)
        if expected_version is not None and [record.version for record in before.values()] != (
            [expected_version] if expected_version else []
        ):
            raise VersionMismatch("The document has another version by now; read it again.")
        is_new = [
            key not in before or before[key].value != each.fields for key, each in zip(keys, documents, strict=True)
        ]
        fresh = [each for each, new in zip(documents, is_new, strict=True) if new]
        # Embedded before the record is written: what cannot be embedded now is not acknowledged as changed.
        vectors = await self._vectors(world, fresh, await self._worlds.pointer(world.id))
        puts = [Put(DOCUMENT, f"{world.id}/{each.id}", each.fields, expected_version) for each in fresh]
        versions = iter(await self._state.write(*puts, inside(world.id), *also) if puts else ())
        stored = [
            Stored(replace(each, version=next(versions) if new else before[key].version), key not in before, new)
            for key, each, new in zip(keys, documents, is_new, strict=True)
        ]
        refused = await self._index_all(world, [each.document for each in stored], vectors)
        stored = [replace(each, refused=refused.get(each.document.id, "")) for each in stored]
        await self._take_back(world, [each for each in stored if each.refused and each.changed], before)
        return stored

    async def _index_all(
        self, world: World, documents: Sequence[Document], vectors: Mapping[str, Vector] | None = None
    ) -> dict[str, str]:
        """Write documents to every index; those that one of them cannot hold, with why."""
        refused: dict[str, str] = {}

        async def write(index: IndexRef, pointer: LorePointer) -> None:
            try:
                await self._write_stale(world, documents, index, pointer, vectors)
            except DocumentsRefused as error:
                refused.update(error.reasons)

        await self._everywhere(world, write)
        return refused

    async def _take_back(self, world: World, refused: Sequence[Stored], before: Mapping[str, Record]) -> None:
        """Put the records back as they were, unless another writer came since; no index may know better than they."""
        restored: list[Document] = []
        gone: list[Tombstone] = []
        for each in refused:
            key, version = f"{world.id}/{each.document.id}", each.document.version
            with suppress(VersionMismatch):
                if each.created:
                    (version,) = await self._state.write(Delete(DOCUMENT, key, version))
                    gone.append(Tombstone(each.document.id, version))
                else:
                    put = Put(DOCUMENT, key, before[key].value, version)
                    version, *_ = await self._state.write(put, inside(world.id))
                    restored.append(replace(Document.of(before[key], world.id), version=version))
        if gone:
            await self._everywhere(world, lambda index, _: self._index.write(index.name, gone))
        if restored:
            await self._index_all(world, restored)

    async def _everywhere(self, world: World, write: Callable[[IndexRef, LorePointer], Awaitable[None]]) -> None:
        """Change every index that is written, after the records: a re-index that begins later reads those.

        Where one has swapped since the pointer was read, the next look sees the index that came instead.
        """
        for last in (*[False] * _LOOKS, True):
            pointer = await self._worlds.pointer(world.id)
            try:
                for index in pointer.written:
                    await write(index, pointer)
            except NotFound:
                if last:
                    raise
            else:
                return

    async def _write_stale(
        self,
        world: World,
        documents: Sequence[Document],
        index: IndexRef,
        pointer: LorePointer,
        vectors: Mapping[str, Vector] | None = None,
    ) -> None:
        """Write those of the documents that the index has not, or has in another version."""
        found = await self._index.versions(index.name, [each.id for each in documents])
        stale = [each for each in documents if found.get(each.id) != each.version]
        if not stale:
            return
        known: Mapping[str, Vector] = {}
        if index.embedder_id == self._embedder_id:
            known = await self._vectors(world, stale, pointer, vectors or {})
        await self._index.write(index.name, await asyncio.to_thread(entries_of, stale, world.locale, known))

    async def _vectors(
        self,
        world: World,
        documents: Sequence[Document],
        pointer: LorePointer,
        known: Mapping[str, Vector] | None = None,
    ) -> Mapping[str, Vector]:
        """A vector for each chunk in a language that the embedder knows; what an index holds is not made again."""
        texts = {
            chunk.key: chunk.embedded
            for document in documents
            if self.knows(document.locale or world.locale)
            for chunk in chunks_of(document)
        }
        vectors = {key: vector for key, vector in (known or {}).items() if key in texts}
        comparable = [index for index in pointer.written if index.embedder_id == self._embedder_id]
        for index in comparable:
            if missing := [key for key in texts if key not in vectors]:
                with suppress(NotFound):  # swapped away since the pointer was read
                    vectors |= await self._index.vectors(index.name, missing)
        missing = [key for key in texts if key not in vectors]
        if missing and comparable and self._embedder is not None:
            rows = await self._embedder.embed([texts[key] for key in missing], input_type=InputType.DOCUMENT)
            vectors |= dict(zip(missing, rows, strict=True))
        return vectors

    @property
    def _embedder_id(self) -> str:
        return self._embedder.id if self._embedder else ""

    def knows(self, locale: str) -> bool:
        """Whether the embedder knows the language; if not, keywords alone."""
        if self._embedder is None:
            return False
        return self._embedder.languages is None or language_of(locale) in self._embedder.languages

    async def get(self, world: World, document_id: str) -> Document:
        """Raises `NotFound`."""
        record = await self._state.get(DOCUMENT, f"{world.id}/{document_id}")
        if record is None:
            raise NotFound("There is no such document in this world.")
        return Document.of(record, world.id)

    async def matching(
        self, world: World, *, tag: str | None, kind: str | None, q: str | None, after: str, limit: int
    ) -> list[Document]:
        """Those with this tag, of this kind, and with `q` in their title or id; None asks for nothing."""
        found: list[Document] = []
        while len(found) < limit and (documents := await self.list(world, after=after, limit=max(limit, PAGE))):
            after = documents[-1].id
            found += [each for each in documents if each.matches(tag, kind, q)]
        return found[:limit]

    async def list(self, world: World, *, after: str = "", limit: int = PAGE) -> list[Document]:
        """By id, past the id `after`."""
        start = f"{world.id}/{after}" if after else ""
        records = await self._state.list(DOCUMENT, prefix=f"{world.id}/", after=start, limit=limit)
        return [Document.of(record, world.id) for record in records]

    async def count(self, world: World) -> int:
        """How many documents can be found in the world."""
        live = (await self._worlds.pointer(world.id)).live
        return len(await self._index.versions(live.name))

    async def delete(self, world: World, document_id: str, *, expected_version: int | None = None) -> None:
        """Remove a document; the next search does not find it. Raises `NotFound`, `VersionMismatch`."""
        await self.get(world, document_id)
        (version,) = await self._state.write(Delete(DOCUMENT, f"{world.id}/{document_id}", expected_version))
        gone = [Tombstone(document_id, version)]
        await self._everywhere(world, lambda index, _: self._index.write(index.name, gone))

    async def delete_all(self, world_id: str, meanwhile: Require) -> None:
        """Remove the documents of a world that is gone from sight (`core/removal.py`)."""
        while records := await self._state.list(DOCUMENT, prefix=f"{world_id}/", limit=1000):
            await self._state.write(*(Delete(DOCUMENT, record.key) for record in records), meanwhile)

    async def sync(self, world: World, progress: Progress | None = None) -> None:
        """Bring the live index in step with the records, whatever a crash has left between them.

        The search at the end has the index loaded before the first player asks.
        """
        pointer = await self._worlds.pointer(world.id)
        if pointer.live.embedder_id != self._embedder_id:
            log.warning("%s was indexed with another embedder: re-index it, keywords alone find its lore now", world.id)
        if await self.is_outdated(world):
            live = await self.rebuild(world, progress or _silent)
        else:
            live = pointer.live
            await self._fill(world, live, pointer, progress or _silent)
        await self._index.search(live.name, Query())

    async def is_outdated(self, world: World) -> bool:
        """Whether the index to come, else the live one, reads another language than the world's, which has changed."""
        pointer = await self._worlds.pointer(world.id)
        return (pointer.building or pointer.live).language != language_of(world.locale)

    def _fits(self, index: IndexRef, world: World) -> bool:
        return (index.embedder_id, index.language) == (self._embedder_id, language_of(world.locale))

    async def rebuild(self, world: World, progress: Progress) -> IndexRef:
        """Build an index beside the live one with the embedder of today, and swap: there is no moment without lore.

        A rebuild that was interrupted goes on where it stopped; of several at once each may do what is left to do.
        """
        for last in (*[False] * _LOOKS, True):
            world = await self._worlds.get(world.id)
            try:
                pointer = await self._beside(world, await self._worlds.pointer(world.id))
                assert pointer.building is not None
                await self._fill(world, pointer.building, pointer, progress)
                if await self._swapped(world, pointer.building):
                    return pointer.building
            except (VersionMismatch, NotFound):  # somebody else has moved the pointer: look again
                if last:
                    raise
        raise ConflictError("The language of the world changes faster than its lore can be indexed.")

    async def _beside(self, world: World, pointer: LorePointer) -> LorePointer:
        """The pointer with an index beside the live one that fits the world."""
        abandoned = pointer.building
        if abandoned is not None and self._fits(abandoned, world):
            return pointer
        building = await self._worlds.new_index(world.locale)
        try:
            pointer = await self._worlds.move(world.id, replace(pointer, building=building))
        except VersionMismatch:
            await self._index.drop(building.name)
            raise
        if abandoned is not None:
            await self._index.drop(abandoned.name)
        return pointer

    async def _swapped(self, world: World, building: IndexRef) -> bool:
        """Whether it is live now; not when the language of the world has changed meanwhile, or it was abandoned."""
        if not self._fits(building, await self._worlds.get(world.id)):
            return False
        pointer = await self._worlds.pointer(world.id)
        if pointer.building == building:
            await self._worlds.move(world.id, replace(pointer, live=building, building=None))
            await self._index.drop(pointer.live.name)
        return building in {pointer.building, pointer.live}

    async def _fill(self, world: World, index: IndexRef, pointer: LorePointer, progress: Progress) -> None:
        if index.embedder_id == self._embedder_id:
            dimensions = self._embedder.dimensions if self._embedder else 0
            await self._index.create(index.name, embedder_id=index.embedder_id, dimensions=dimensions)
        gone = dict(await self._index.versions(index.name))
        total, done, after = await self.count(world), 0, ""
        while documents := await self.list(world, after=after):
            await self._write_stale(world, documents, index, pointer)
            after, done = documents[-1].id, done + len(documents)
            for each in documents:
                gone.pop(each.id, None)
            await progress(done, max(total, done))
        if gone:
            await self._index.write(index.name, [Tombstone(name, version + 1) for name, version in gone.items()])


async def _silent(_done: int, _total: int) -> None:
    pass
