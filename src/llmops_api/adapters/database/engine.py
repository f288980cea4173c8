"""Connections to the database: one pool that reads and one that writes, with SQLite and PostgreSQL behaving alike."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from llmops_api.errors import BackendUnavailable

WAIT_SECONDS = 15
"""How long a call waits for a free connection or, on SQLite, for another process that writes."""

QUEUES = 256
LOCK_SPACE = 0x6C6C6D
"""Sets our advisory locks apart from those of others in the same PostgreSQL database (`llm` in ASCII)."""

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:space, queue) FROM unnest(CAST(:queues AS integer[])) AS queue")

OUR_MISTAKES = (exc.ProgrammingError, exc.DataError, exc.IntegrityError, exc.NotSupportedError)


@dataclass(frozen=True, slots=True)
class Engines:
    """`reading` commits by itself, sparing every read a BEGIN and a ROLLBACK; `writing` holds real transactions."""

    reading: AsyncEngine
    writing: AsyncEngine


@asynccontextmanager
async def open_engines(database_url: str) -> AsyncIterator[Engines]:
    """Both pools on the database of a SQLAlchemy URL, closed at the end. Nothing connects before its first use."""
    with reachable():
        engines = _engines_of(sa.make_url(database_url))
    try:
        yield engines
    finally:
        await engines.reading.dispose()
        await engines.writing.dispose()


def _engines_of(url: sa.URL) -> Engines:
    common: dict[str, Any] = {"hide_parameters": True, "max_overflow": 0, "pool_timeout": WAIT_SECONDS}
    by_itself: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
    if url.get_backend_name() != "sqlite":
        return Engines(
            create_async_engine(url, pool_size=8, **by_itself, **common),
            create_async_engine(url, pool_size=8, **common),
        )
    # SQLite has one writer at a time: a pool of one lets our own tasks queue in order, without polling the file.
    reading = create_async_engine(url, pool_size=4, **by_itself, **common)
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


def queue_for(connection: sa.Connection, names: Iterable[str]) -> None:
    """Wait until no other transaction writes under these names; they are ours until this one ends.

    SQLite has let in a single writer already. PostgreSQL takes advisory locks, in one order, so that nobody deadlocks;
    on a bounded number of queues, because a bulk write must not exhaust the server's lock table.
    """
    if connection.dialect.name == "postgresql":
        queues = sorted({crc32(name.encode()) % QUEUES for name in names})
        connection.execute(_LOCK, {"space": LOCK_SPACE, "queues": queues})


@contextmanager
def reachable() -> Iterator[None]:
    """Turn failures of the database, as opposed to our own mistakes, into `BackendUnavailable`."""
    try:
        yield
    except OUR_MISTAKES:
        raise
    except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
        raise BackendUnavailable("The state store does not answer.", backend="state") from error
