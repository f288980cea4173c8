"""The state store on a database: a SQLite file, or PostgreSQL by URL, on the same code path."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from llmops_api.adapters.database.engine import Engines, open_engines, reachable
from llmops_api.adapters.database.rows import batches, event_of, record_of, require_name, subject_of
from llmops_api.adapters.database.schema import EVENTS, RECORDS, migrate
from llmops_api.adapters.database.write import apply
from llmops_api.ports.state import Change, Event, Record, StateStore
from llmops_api.settings import POOL_SIZE

Result = TypeVar("Result")

_EVER_OF_KIND = sa.select(RECORDS.c.key, RECORDS.c.version, RECORDS.c.value, RECORDS.c.updated_at).where(
    RECORDS.c.kind == sa.bindparam("kind")
)
_OF_KIND = _EVER_OF_KIND.where(RECORDS.c.value.is_not(None))
_BY_KEY = _OF_KIND.where(RECORDS.c.key == sa.bindparam("key"))
_BY_KEYS = _OF_KIND.where(RECORDS.c.key.in_(sa.bindparam("keys", expanding=True)))
_PING = sa.select(RECORDS.c.version).limit(1)


@asynccontextmanager
async def open_state_store(*, database_url: str, pool_size: int = POOL_SIZE) -> AsyncIterator[StateStore]:
    """Open the database, its tables brought up to date, until the block ends; `BackendUnavailable` when that fails.

    `database_url` is SQLAlchemy's: `sqlite+aiosqlite:///data/state.sqlite`, `postgresql+asyncpg://user@host/name`.
    On PostgreSQL `pool_size` connections read, and as many write.
    """
    async with open_engines(database_url, pool_size=pool_size) as engines:
        with reachable():
            async with engines.writing.begin() as connection:
                await connection.run_sync(migrate)
        store = DatabaseStateStore(engines)
        try:
            yield store
        finally:
            await store.idle()


class DatabaseStateStore:
    """Records and events as rows. Reads see what was committed last; writes queue (see `engine.py`)."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._working: set[asyncio.Task[Any]] = set()

    async def idle(self) -> None:
        """Return when no call is under way, also none that its caller has given up."""
        while self._working:
            await asyncio.wait(self._working)

    async def get(self, kind: str, key: str) -> Record | None:
        require_name(kind, key)
        rows = await self._rows(_BY_KEY, kind=kind, key=key)
        return record_of(kind, rows[0]) if rows else None

    async def get_many(self, kind: str, keys: Sequence[str]) -> Mapping[str, Record]:
        require_name(kind, *keys)
        rows = [row for batch in batches(keys) for row in await self._rows(_BY_KEYS, kind=kind, keys=batch)]
        return {row.key: record_of(kind, row) for row in rows}

    async def read(
        self, stream: str, *, after: int = 0, limit: int | None = None, newest_first: bool = False
    ) -> list[Event]:
        require_name(stream)
        position = EVENTS.c.position
        events = sa.select(position, EVENTS.c.value, EVENTS.c.recorded_at)
        events = events.where(EVENTS.c.stream == stream, position > after)
        ordered = events.order_by(position.desc() if newest_first else position).limit(limit)
        return [event_of(row) for row in await self._rows(ordered)]

    async def write(self, *changes: Change) -> list[int]:
        require_name(*(name for change in changes for name in subject_of(change)))
        return await self._to_its_end(self._write(changes))

    async def _write(self, changes: Sequence[Change]) -> "list[int]":
        with reachable():
            return await self._engines.write(partial(apply, changes=changes))

    async def ping(self) -> None:
        await self._rows(_PING)

    async def _rows(self, statement: sa.Select[Any], **parameters: Any) -> Sequence[sa.Row[Any]]:
        return await self._to_its_end(self._read(statement, parameters))

    async def _read(self, statement: sa.Select[Any], parameters: Mapping[str, Any]) -> Sequence[sa.Row[Any]]:
        def execute(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
            return connection.execute(statement, parameters).all()

        with reachable():
            return await self._engines.read(execute)

    async def _to_its_end(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await a call that goes on when its caller is cancelled: breaking it off would cost the pool a connection."""
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled():
            # Looked at, so that the failure of a call that nobody awaits any more is not reported as overlooked.
            task.exception()

    async def list(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000, deleted: bool = False
    ) -> list[Record]:
        require_name(kind, prefix, after)
        key = RECORDS.c.key
        of_kind = _EVER_OF_KIND if deleted else _OF_KIND
        found = of_kind.where(key > after if after >= prefix else key >= prefix)
        end = _end_of(prefix)
        if end is not None:
            found = found.where(key < end)
        return [record_of(kind, row) for row in await self._rows(found.order_by(key).limit(limit), kind=kind)]


def _end_of(prefix: str) -> str | None:
    """The first string, by code point, after all that begin with `prefix`; None when nothing comes after them."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
