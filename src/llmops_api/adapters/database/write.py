"""One write to the database: every expectation checked and every change made inside a single transaction."""

from collections import defaultdict
from collections.abc import Sequence
from types import UnionType
from typing import Any

import sqlalchemy as sa

from llmops_api.adapters.database.engine import queue_for
from llmops_api.adapters.database.rows import batches, encode, microseconds_now, microseconds_of, subject_of
from llmops_api.adapters.database.schema import EVENTS, RECORDS
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.state import Append, Change, Delete, Erase, Put, Require, Restore

_Id = tuple[str, str]
_THIS_RECORD = (RECORDS.c.kind == sa.bindparam("of_kind"), RECORDS.c.key == sa.bindparam("of_key"))
_INSERT = sa.insert(RECORDS)
_UPDATE = sa.update(RECORDS).where(*_THIS_RECORD)
_FORGET = sa.delete(RECORDS).where(*_THIS_RECORD)
_STANDING = sa.select(RECORDS.c.key, RECORDS.c.version, RECORDS.c.value.is_not(None).label("exists")).where(
    RECORDS.c.kind == sa.bindparam("kind"), RECORDS.c.key.in_(sa.bindparam("keys", expanding=True))
)
_LAST = sa.select(sa.func.coalesce(sa.func.max(EVENTS.c.position), 0)).where(EVENTS.c.stream == sa.bindparam("of"))
_APPEND = sa.insert(EVENTS)
_ERASE = sa.delete(EVENTS).where(EVENTS.c.stream == sa.bindparam("of"))


def apply(connection: sa.Connection, changes: Sequence[Change]) -> list[int]:
    """Make the changes in order inside the open transaction; the new number of each. Raises `VersionMismatch`."""
    queue_for(
        connection, changed=_names(changes, Put | Delete | Append | Erase | Restore), required=_names(changes, Require)
    )
    records = _Records(
        connection, [change for change in changes if isinstance(change, Put | Delete | Require | Restore)]
    )
    numbers = [_apply(connection, records, change) for change in changes]
    records.save()
    return numbers


def _names(changes: Sequence[Change], kind: UnionType | type[Change]) -> set[str]:
    return {" ".join(subject_of(change)) for change in changes if isinstance(change, kind)}


def _apply(connection: sa.Connection, records: "_Records", change: Change) -> int:
    match change:
        case Put():
            return records.put(change)
        case Delete():
            return records.delete(change)
        case Require():
            return records.require(change)
        case Restore():
            return records.restore(change)
        case Append():
            return _append(connection, change)
        case Erase():
            connection.execute(_ERASE, {"of": change.stream})
            return 0


def _append(connection: sa.Connection, change: Append) -> int:
    last = connection.scalar(_LAST, {"of": change.stream}) or 0
    _expect("stream", change.expected_position, last)
    moments = [microseconds_of(each) for each in change.recorded_at] or [microseconds_now()] * len(change.values)
    rows = [
        {"stream": change.stream, "position": position, "value": encode(value), "recorded_at": recorded_at}
        for position, (value, recorded_at) in enumerate(zip(change.values, moments, strict=True), last + 1)
    ]
    _execute_many(connection, _APPEND, rows)
    return last + len(rows)


def _expect(kind: str, expected: int | None, actual: int) -> None:
    if expected is not None and expected != actual:
        raise VersionMismatch(f"Another writer has changed this {kind} in the meantime.")


def _execute_many(connection: sa.Connection, statement: sa.Executable, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


class _Records:
    """The records that a write is about: read at once before its changes, saved at once after them."""

    def __init__(self, connection: sa.Connection, changes: Sequence[Put | Delete | Require | Restore]) -> None:
        self._connection = connection
        self._stored: dict[_Id, tuple[int, bool]] = {}
        self._changed: dict[_Id, tuple[int, str | None, int]] = {}
        self._now = microseconds_now()
        keys_of = defaultdict[str, set[str]](set)
        for change in changes:
            keys_of[change.kind].add(change.key)
        for kind, keys in keys_of.items():
            self._load(kind, list(keys))

    def _load(self, kind: str, keys: list[str]) -> None:
        for batch in batches(keys):
            for key, version, exists in self._connection.execute(_STANDING, {"kind": kind, "keys": batch}):
                self._stored[kind, key] = version, bool(exists)

    def put(self, change: Put) -> int:
        version, _ = self._expected(change)
        self._changed[change.kind, change.key] = version + 1, encode(change.value), self._now
        return version + 1

    def delete(self, change: Delete) -> int:
        version, exists = self._expected(change)
        if change.forget:
            version = 0
        elif exists:
            version += 1
        self._changed[change.kind, change.key] = version, None, self._now
        return version

    def restore(self, change: Restore) -> int:
        text = None if change.value is None else encode(change.value)
        self._changed[change.kind, change.key] = change.version, text, microseconds_of(change.updated_at)
        return change.version

    def require(self, change: Require) -> int:
        version, exists = self._standing(change)
        if not exists:
            raise NotFound(f"There is no such {change.kind} any more.")
        return version

    def _expected(self, change: Put | Delete) -> tuple[int, bool]:
        version, exists = self._standing(change)
        _expect(change.kind, change.expected_version, version if exists else 0)
        return version, exists

    def _standing(self, change: Put | Delete | Require) -> tuple[int, bool]:
        """The record's version so far and whether it exists, as the changes before this one leave it."""
        record = change.kind, change.key
        if record in self._changed:
            version, text, _ = self._changed[record]
            return version, text is not None
        return self._stored.get(record, (0, False))

    def save(self) -> None:
        inserts, updates, forgets = [], [], []
        for (kind, key), (version, text, updated_at) in self._changed.items():
            row = {"version": version, "value": text, "updated_at": updated_at}
            this = {"of_kind": kind, "of_key": key}
            if (kind, key) not in self._stored:
                inserts += [{"kind": kind, "key": key, **row}] if version else []
            elif version:
                updates.append({**this, **row})
            else:
                forgets.append(this)
        _execute_many(self._connection, _INSERT, inserts)
        _execute_many(self._connection, _UPDATE, updates)
        _execute_many(self._connection, _FORGET, forgets)
