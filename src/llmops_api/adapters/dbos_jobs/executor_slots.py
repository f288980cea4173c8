"""Numbers that living processes hold: taken once at a time, free again the moment their holder dies."""

import itertools
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

_NAMESPACE = 0x11A0B5
"""The first key of our advisory locks, so that they meet nobody else's in the same database."""
_HIGHEST = 2**31 - 1
_NOTICE_A_DEAD_HOLDER = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
"""Else the server would take a machine that lost its power for a silent one, for two hours."""


class ExecutorSlots(Protocol):
    """What one process holds; used from one thread at a time."""

    def numbers(self) -> Iterable[int]:
        """Slots that a new process may try to take, in this order."""
        ...

    def take(self, slot: int) -> bool:
        """True: the slot was free and is ours until it is released or this process ends, however it ends."""
        ...

    def keep(self, slot: int) -> bool:
        """True: the slot that we took is still ours, or ours again after the database had lost sight of us."""
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

    def numbers(self) -> Iterable[int]:
        """The lowest free one, so that few files are made, and a process that starts again finds what it left."""
        return itertools.count()

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

    def keep(self, slot: int) -> bool:
        return slot in self._held

    def release(self, slot: int) -> None:
        self._held.pop(slot).close()

    def close(self) -> None:
        for slot in list(self._held):
            self.release(slot)


class _AdvisorySlots:
    """For replicas: a slot is a PostgreSQL advisory lock of one session, which ends with its connection."""

    def __init__(self, database_url: URL) -> None:
        self._engine = create_engine(database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        self._session: Connection | None = None

    def numbers(self) -> Iterable[int]:
        """Any: nobody may come upon the number of a process that lives, and merely lost its connection."""
        return iter(lambda: secrets.randbelow(_HIGHEST), -1)

    def take(self, slot: int) -> bool:
        return bool(self._ask("pg_try_advisory_lock", slot))

    def keep(self, slot: int) -> bool:
        if self._session is None:
            return self.take(slot)
        self._call("SELECT 1")
        return True

    def release(self, slot: int) -> None:
        self._ask("pg_advisory_unlock", slot)

    def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            with suppress(SQLAlchemyError):
                session.close()

    def _ask(self, function: str, slot: int) -> object:
        return self._call(f"SELECT {function}(:namespace, :slot)", namespace=_NAMESPACE, slot=slot)

    def _call(self, statement: str, **parameters: int) -> object:
        """The answer; after a failure the session counts as lost, and with it all that it held."""
        try:
            if self._session is None:
                self._session = self._engine.connect()
                self._session.exec_driver_sql(_NOTICE_A_DEAD_HOLDER)
            return self._session.execute(text(statement), parameters).scalar()
        except SQLAlchemyError:
            self.close()
            raise
