"""Small versioned records and append-only streams, changed together or not at all.

Every value is a JSON object without NUL characters. Versions and positions start at 1 and only grow; a deleted record
keeps its number, so that its next life does not repeat an old one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Value = Mapping[str, Any]

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it; not a backslash that happens to stand before `u0000`."""


def holds_nul(encoded: bytes) -> bool:
    """Whether JSON text holds a NUL character, which not every database can keep."""
    return b"\\u0000" in encoded and _NUL.search(encoded) is not None


@dataclass(frozen=True, slots=True)
class Record:
    """`deleted`: only the number is left of it, and the value is empty; such a one is seen in a `list` that asks for it."""

    kind: str
    key: str
    version: int
    value: Value
    updated_at: datetime
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    position: int
    value: Value
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Put:
    """Write a record. `expected_version` 0: it must not exist; None: whatever is there is replaced."""

    kind: str
    key: str
    value: Value
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a record; one that is not there is no error, unless `expected_version` says it should be.

    `forget` drops its number too: for records whose keys never come back, which would otherwise leave a row for ever.
    """

    kind: str
    key: str
    expected_version: int | None = None
    forget: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """Add events to the end of a stream. `expected_position` is that of its last event so far (0: none).

    `recorded_at` says for each value when it was recorded elsewhere; empty: now.
    """

    stream: str
    values: tuple[Value, ...]
    expected_position: int | None = None
    recorded_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove a stream with all its events."""

    stream: str


@dataclass(frozen=True, slots=True)
class Require:
    """Change nothing, but only together with a record that exists until the write is done: a deletion of it comes
    wholly before or wholly after. Its number in the answer is the record's version."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Restore:
    """Write a record as it stood in another store, with its number and its moment, whatever is there. `value` None: as a
    deletion has left it."""

    kind: str
    key: str
    version: int
    value: Value | None
    updated_at: datetime


Change = Put | Delete | Append | Erase | Require | Restore


class StateStore(Protocol):
    """Failures to reach it are `BackendUnavailable`."""

    async def get(self, kind: str, key: str) -> Record | None: ...

    async def get_many(self, kind: str, keys: Sequence[str]) -> Mapping[str, Record]:
        """Those of `keys` that exist."""
        ...

    async def read(
        self, stream: str, *, after: int = 0, limit: int | None = None, newest_first: bool = False
    ) -> list[Event]:
        """Events past position `after`; `newest_first` with a `limit` reads the end of a long stream."""
        ...

    async def write(self, *changes: Change) -> list[int]:
        """Make all changes or none; the new version (or last position, or 0 for `Erase`) of each, in order.

        Raises `VersionMismatch` when an expectation does not hold, `NotFound` when what a `Require` names is not there.
        """
        ...

    async def ping(self) -> None:
        """Return when it answers; raise `BackendUnavailable` saying why not."""
        ...

    # The last of the methods: below it, `list` would name this method in annotations.
    async def list(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000, deleted: bool = False
    ) -> list[Record]:
        """Records whose key begins with `prefix` and comes after the key `after`, by key (code point order).

        With `deleted`, those too of which a deletion has left the number.
        """
        ...
