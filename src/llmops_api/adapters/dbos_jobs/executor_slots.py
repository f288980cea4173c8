"""Numbers that living processes hold: taken once at a time, free again the moment their holder dies."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.pool import NullPool

_NAMESPACE = 0x11A0B5
"""The first key of our advisory locks, so that they meet nobody else's in the same database."""


class ExecutorSlots(Protocol):
    """What one process holds; used from one thread at a time."""

    def take(self, slot: int) -> bool:
        """True: the slot was free and is ours until it is released or this process ends, however it ends."""
        ...

    def release(self, slot: int) -> None: ...


@contextmanager
def open_executor_slots(database_url: URL) -> Iterator[ExecutorSlots]:
    """Slots for the processes that share this database; all that are held are released in the end."""
    slots = _FileSlots(database_url) if database_url.get_backend_name() == "sqlite" else _AdvisorySlots(database_url)
    try:
        yield slots
    finally:
        slots.close()


class _FileSlots:
    """For processes of one machine: a slot is an empty SQLite file beside the database, held by its exclusive lock,
    which the kernel drops with the process on every operating system."""

    def __init__(self, database_url: URL) -> None:
        self._path = database_url.database
        self._held: dict[int, sqlite3.Connection] = {}

    def take(self, slot: int) -> bool:
        connection = sqlite3.connect(f"{self._path}.executor-{slot}", timeout=0, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            return False
        self._held[slot] = connection
        return True

    def release(self, slot: int) -> None:
        self._held.pop(slot).close()

    def close(self) -> None:
        for slot in list(self._held):
            self.release(slot)


class _AdvisorySlots:
    """For replicas: a slot is a PostgreSQL advisory lock of one session, which ends with its connection."""

    def __init__(self, database_url: URL) -> None:
        url = database_url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._session: Connection = engine.connect()

    def take(self, slot: int) -> bool:
        return bool(self._call("pg_try_advisory_lock", slot))

    def release(self, slot: int) -> None:
        self._call("pg_advisory_unlock", slot)

    def close(self) -> None:
        self._session.close()

    def _call(self, function: str, slot: int) -> object:
        return self._session.execute(
            text(f"SELECT {function}(:namespace, :slot)"), {"namespace": _NAMESPACE, "slot": slot}
        ).scalar()
