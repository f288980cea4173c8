"""What stands in a row: values as JSON text, moments as microseconds since 1970, names that any database can hold."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from llmops_api.errors import BadInput
from llmops_api.ports.state import Append, Change, Erase, Event, Record, Value, holds_nul

_KEYS_PER_STATEMENT = 5000
"""Well under the parameters that a statement may have: 32,766 on SQLite, 32,767 on PostgreSQL."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_of(kind: str, row: sa.Row[Any]) -> Record:
    value = {} if row.value is None else orjson.loads(row.value)
    return Record(kind, row.key, row.version, value, _moment(row.updated_at), deleted=row.value is None)


def event_of(row: sa.Row[Any]) -> Event:
    return Event(row.position, orjson.loads(row.value), _moment(row.recorded_at))


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def microseconds_now() -> int:
    return time.time_ns() // 1000


def encode(value: Value) -> str:
    """The JSON text of a value; `BadInput` when it is not JSON: lone surrogates, NUL, integers of more than 64 bits."""
    try:
        encoded = orjson.dumps(dict(value))
    except TypeError as error:
        raise BadInput("A value cannot be kept: it is no JSON, or holds broken characters.") from error
    if holds_nul(encoded):
        raise BadInput("A value cannot be kept: it holds a NUL character.")
    return encoded.decode()


def require_name(*names: str) -> None:
    """Raise `BadInput` for a kind, key or stream with a lone surrogate or a NUL in it."""
    for name in names:
        if "\0" in name or (not name.isascii() and _has_surrogate(name)):
            raise BadInput("An id holds a broken character.")


def _has_surrogate(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """The keys in portions of which each fits one statement."""
    for start in range(0, len(keys), _KEYS_PER_STATEMENT):
        yield keys[start : start + _KEYS_PER_STATEMENT]


def subject_of(change: Change) -> tuple[str, ...]:
    """What a change is about: a kind and a key, or a stream."""
    return (change.stream,) if isinstance(change, Append | Erase) else (change.kind, change.key)
