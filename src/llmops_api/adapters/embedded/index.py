"""The lore index inside the process: SQLite keeps the rows, tantivy and NumPy search what is derived from them.

Nothing but the file says what is acknowledged. A search compares its generation with that of the snapshot in memory,
inside one read transaction, and first takes in what any process has written since. So processes may share the folder
without locks of their own, and any of them may die at any moment.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar
from weakref import WeakValueDictionary

from llmops_api.adapters.embedded import rows
from llmops_api.adapters.embedded.file import LoreFile
from llmops_api.adapters.embedded.keywords import frequency, keyword_hits
from llmops_api.adapters.embedded.rows import IndexRow
from llmops_api.adapters.embedded.snapshot import Snapshot, View
from llmops_api.adapters.embedded.vectors import VectorScan
from llmops_api.ports.lore_index import LoreEntry, LoreIndex, Query, SearchResult, Tombstone, Vector

T = TypeVar("T")


@asynccontextmanager
async def open_lore_index(*, folder: Path) -> AsyncIterator[LoreIndex]:
    """All indexes of one folder, in its file `lore.sqlite`. Raises `BackendUnavailable`."""
    file = LoreFile(folder / "lore.sqlite")
    await asyncio.to_thread(file.prepare)
    index = EmbeddedLoreIndex(file)
    try:
        yield index
    finally:
        await asyncio.to_thread(index.close)


class EmbeddedLoreIndex:
    """`LoreIndex`; its work is done in threads: many that read, few that load, one that writes."""

    def __init__(self, file: LoreFile) -> None:
        self._file = file
        self._readers = ThreadPoolExecutor((os.cpu_count() or 1) + 2, "lore-read")
        # Apart from the readers, so that no search waits while other indexes are loaded.
        self._loaders = ThreadPoolExecutor(4, "lore-load")
        self._writer = ThreadPoolExecutor(1, "lore-write")
        self._scanners = ThreadPoolExecutor(os.cpu_count(), "lore-scan")
        self._snapshots: dict[str, Snapshot] = {}
        self._loading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def close(self) -> None:
        for threads in (self._writer, self._loaders, self._readers, self._scanners):
            threads.shutdown(cancel_futures=True)
        self._file.close()

    async def create(self, index: str, *, embedder_id: str, dimensions: int) -> None:
        await self._write(lambda connection: rows.create(connection, index, embedder_id, dimensions))

    async def drop(self, index: str) -> None:
        await self._write(lambda connection: rows.drop(connection, index))
        self._snapshots.pop(index, None)

    async def write(self, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
        await self._write(lambda connection: rows.write(connection, index, changes))

    async def versions(self, index: str, document_ids: Sequence[str] | None = None) -> Mapping[str, int]:
        return await self._read(
            lambda connection: rows.versions(connection, rows.find(connection, index), document_ids)
        )

    async def vectors(self, index: str, keys: Sequence[str]) -> Mapping[str, Vector]:
        return await self._read(lambda connection: rows.vectors(connection, rows.find(connection, index), keys))

    async def search(self, index: str, query: Query) -> SearchResult:
        result = await self._read(lambda connection: self._search_if_current(connection, index, query))
        if result is None:
            result = await self._search_loaded(index, query)
        return result

    async def ping(self) -> None:
        await self._read(rows.names)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def in_thread() -> T:
            with self._file.reading() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, in_thread)

    async def _write(self, work: Callable[[Connection], None]) -> None:
        def in_thread() -> None:
            with self._file.writing() as connection:
                work(connection)

        await asyncio.get_running_loop().run_in_executor(self._writer, in_thread)

    def _search_if_current(self, connection: Connection, index: str, query: Query) -> SearchResult | None:
        row = rows.find(connection, index)
        snapshot = self._snapshots.get(index)
        if snapshot is None or snapshot.index_id != row.id:
            return None
        view = snapshot.view
        return self._search_view(connection, row, view, query) if view.generation == row.generation else None

    async def _search_loaded(self, index: str, query: Query) -> SearchResult:
        loop = asyncio.get_running_loop()
        lock = self._loading.setdefault(index, asyncio.Lock())
        await lock.acquire()
        loaded = partial(loop.call_soon_threadsafe, lock.release)
        work = loop.run_in_executor(self._loaders, self._load_and_search, index, query, loaded)
        # The thread releases the lock, so it has its turn even when the caller gives up.
        return await asyncio.shield(work)

    def _load_and_search(self, index: str, query: Query, loaded: Callable[[], object]) -> SearchResult:
        with ExitStack() as loading:
            loading.callback(loaded)
            # The search shares the transaction of the loading: writers cannot outrun it for ever.
            with self._file.reading() as connection:
                row = rows.find(connection, index)
                view = self._load(connection, index, row)
                loading.close()
                return self._search_view(connection, row, view, query)

    def _load(self, connection: Connection, index: str, row: IndexRow) -> View:
        for dropped in self._snapshots.keys() - rows.names(connection):
            self._snapshots.pop(dropped, None)
        # Taken out meanwhile: what fails half-way is of no more use.
        snapshot = self._snapshots.pop(index, None)
        if snapshot is None or snapshot.index_id != row.id or snapshot.wasteful:
            snapshot = Snapshot(row.id, row.dimensions)
        known = snapshot.view.generation
        if known < row.generation:
            snapshot.apply(rows.changed_since(connection, row, known), row.generation)
        self._snapshots[index] = snapshot
        return snapshot.view

    def _search_view(self, connection: Connection, row: IndexRow, view: View, query: Query) -> SearchResult:
        scan = None
        if query.vector is not None:
            vector = rows.packed(query.vector, row.dimensions)
            scan = VectorScan(view, vector, query.filter, self._scanners)
        keyword = keyword_hits(view, query)
        nearest = scan.hits(query.limit) if scan else ()
        found = {hit.document_id for hit in keyword} | {hit.document_id for hit in nearest}
        return SearchResult(
            keyword,
            nearest,
            entries=view.entries(found, partial(rows.entries, connection, row)),
            document_count=view.count,
            document_frequency={term: frequency(view, term) for term in query.terms},
            generation=view.generation,
        )
