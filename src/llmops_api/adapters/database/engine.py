"""Connections to the database: one pool that reads and one that writes, with SQLite and PostgreSQL behaving alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from llmops_api.adapters.database.postgresql import driver_options, drop_what_leads_nowhere
from llmops_api.errors import BackendUnavailable
from llmops_api.settings import WrongSetting

WAIT_SECONDS = 15
"""How long a call waits for a free connection, for PostgreSQL to answer or, on SQLite, for another process that writes."""

QUEUES = 256
LOCK_SPACE = 0x6C6C6D
"""Sets our advisory locks apart from those of others in the same PostgreSQL database (`llm` in ASCII)."""

_LOCK = sa.text(
    "SELECT CASE WHEN alone THEN pg_advisory_xact_lock(:space, queue) ELSE pg_advisory_xact_lock_shared(:space, queue) END"
    " FROM unnest(CAST(:queues AS integer[]), CAST(:alone AS boolean[])) AS wanted (queue, alone)"
)

OUR_MISTAKES = (exc.ProgrammingError, exc.DataError, exc.IntegrityError, exc.NotSupportedError)

_BY_ITSELF: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]


@dataclass(frozen=True, slots=True)
class Engines:
    """`reading` commits by itself, sparing every read a BEGIN and a ROLLBACK; `writing` holds real transactions.

    `answer_seconds`: when a call is given up, and its connection with it; None: never.
    """

    reading: AsyncEngine
    writing: AsyncEngine
    answer_seconds: float | None = None

    async def read(self, work: Work[Result]) -> Result:
        """What `work` returns; on a connection that had died unnoticed, from a second try."""
        try:
            return await self._read(work)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return await self._read(work)

    async def _read(self, work: Work[Result]) -> Result:
        async with asyncio.timeout(self.answer_seconds), self.reading.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Work[Result]) -> Result:
        """What `work` returns, committed. A second try as in `read`, but not once the commit is sent: a connection
        that is lost then leaves open whether it was made."""
        sent = asyncio.Event()
        try:
            return await self._write(work, sent)
        except exc.DBAPIError as error:
            if sent.is_set() or not error.connection_invalidated:
                raise
        return await self._write(work, sent)

    async def _write(self, work: Work[Result], sent: asyncio.Event) -> Result:
        async with asyncio.timeout(self.answer_seconds), self.writing.connect() as connection:
            result = await connection.run_sync(work)
            sent.set()
            await connection.commit()
            return result


@asynccontextmanager
async def open_engines(database_url: str, *, pool_size: int) -> AsyncIterator[Engines]:
    """Both pools on the database of a URL, closed at the end. Nothing connects before its first use.

    Raises `WrongSetting` for a URL that is none of SQLite or PostgreSQL.
    """
    with reachable():
        engines = _engines_of(_parsed(database_url), pool_size)
    try:
        yield engines
    finally:
        await engines.reading.dispose()
        await engines.writing.dispose()


def _parsed(database_url: str) -> sa.URL:
    try:
        url = sa.make_url(database_url)
    except exc.ArgumentError:
        backend = ""
    else:
        backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        # The URL itself may hold a password, so neither the sentence nor its cause shows it.
        raise WrongSetting("LLMOPS_DATABASE_URL must be sqlite+aiosqlite:///file or postgresql://user@host/name.")
    return url


def _engines_of(url: sa.URL, pool_size: int) -> Engines:
    common: dict[str, Any] = {"hide_parameters": True, "max_overflow": 0, "pool_timeout": WAIT_SECONDS}
    if url.get_backend_name() == "sqlite":
        return _on_sqlite(url, common)
    common |= {"pool_size": pool_size, **driver_options(url)}
    engines = Engines(create_async_engine(**_BY_ITSELF, **common), create_async_engine(**common), WAIT_SECONDS)
    for engine in (engines.reading, engines.writing):
        sa.event.listen(engine.sync_engine, "handle_error", drop_what_leads_nowhere)
    return engines


def _on_sqlite(url: sa.URL, common: dict[str, Any]) -> Engines:
    # SQLite has one writer at a time: a pool of one lets our own tasks queue in order, without polling the file.
    url = url.set(drivername="sqlite+aiosqlite")
    reading = create_async_engine(url, pool_size=4, **_BY_ITSELF, **common)
    writing = create_async_engine(url, pool_size=1, connect_args={"isolation_level": None}, **common)
    sa.event.listen(reading.sync_engine, "connect", _prepare)
    sa.event.listen(writing.sync_engine, "connect", _prepare)
    sa.event.listen(writing.sync_engine, "begin", _begin_immediate)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return Engines(reading, writing)


def _prepare(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # NORMAL would outlive the process too, but not the machine: a power cut could take back the last seconds of
    # acknowledged writes. FULL syncs every commit, for some 0.15 ms where that was measured.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock before the first read, so that a concurrent writer waits instead of failing at its commit."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def queue_for(connection: sa.Connection, changed: Iterable[str], required: Iterable[str] = ()) -> None:
    """Wait until no other transaction writes under these names; they are ours until this one ends.

    What is only `required` to be as it is may be shared with others that require it. SQLite has let in a single
    writer already. PostgreSQL takes advisory locks, in one order, so that nobody deadlocks; on a bounded number of
    queues, because a bulk write must not exhaust the server's lock table.
    """
    if connection.dialect.name == "postgresql":
        alone = {_queue(name) for name in changed}
        queues = sorted(alone | {_queue(name) for name in required})
        wanted = {"queues": queues, "alone": [queue in alone for queue in queues]}
        connection.execute(_LOCK, {"space": LOCK_SPACE, **wanted})


def _queue(name: str) -> int:
    return crc32(name.encode()) % QUEUES


@contextmanager
def reachable() -> Iterator[None]:
    """Turn failures of the database, as opposed to our own mistakes, into `BackendUnavailable`."""
    try:
        yield
    except OUR_MISTAKES:
        raise
    except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
        raise BackendUnavailable("The state store does not answer.", backend="state") from error
