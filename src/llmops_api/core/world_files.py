"""A world as one file: a header, a line for each record in one order, and an end that tells a whole file from a part.

Nothing in it depends on the technologies below, on the embedder, or on the moment of its making: a world gives the same
bytes wherever it stands. `docs/decisions/0015-world-file.md` says what a line holds.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from llmops_api.ports.state import Value

FORMAT = "llmops-api world"
FORMAT_VERSION = 1
"""Grows when a line changes its shape. A new kind of line does not change it: who does not know the kind says so."""
MEDIA_TYPE = "application/x-ndjson"
END = "end"


class Kind(StrEnum):
    """What a line holds, in the order of the file; but `_WITHIN` stand behind the one that they belong to."""

    WORLD = "world"
    DOCUMENT = "lore-document"
    CHARACTER = "character"
    CHARACTER_VERSION = "character-version"
    CONVERSATION = "conversation"
    TURN = "turn"
    LAST_AUTHORED = "last-authored-line"


_ORDER = list(Kind)
_WITHIN = {Kind.CHARACTER_VERSION: Kind.CHARACTER, Kind.TURN: Kind.CONVERSATION}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `number` is the version of a record or the position of a turn, `at` when it was written.

    `id` is that of the record in its world; of a version its character's, of a turn its conversation's. `value` None:
    the record was deleted, and its number is remembered.
    """

    kind: Kind
    id: str
    number: int
    at: datetime
    value: Value | None

    @classmethod
    def of(cls, line: dict[str, Any]) -> "Entry":
        """An entry from the fields of a line that has been checked."""
        return cls(**{**line, "kind": Kind(line["kind"]), "at": datetime.fromisoformat(line["at"])})

    @property
    def line(self) -> bytes:
        # A fragment: as a part of the line a value could be nested deeper than orjson goes.
        value = orjson.Fragment(orjson.dumps(self.value))
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return orjson.dumps({"kind": self.kind, "id": self.id, "number": self.number, "at": at, "value": value})

    @property
    def place(self) -> tuple[int, str, bool, int]:
        """Where in the file it stands: each line comes after the one before."""
        holder = _WITHIN.get(self.kind)
        return _ORDER.index(holder or self.kind), self.id, holder is not None, self.number

    @property
    def holder(self) -> tuple[Kind, str] | None:
        """The kind and the id of what it belongs to; None when it stands for itself."""
        kind = _WITHIN.get(self.kind)
        return (kind, self.id) if kind else None


class Seal:
    """What the end of a file says of all lines before it, as they pass."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._digest = hashlib.sha256()

    def add(self, line: bytes, kind: Kind | None = None) -> None:
        """Take in the next line; the header has no kind."""
        self._digest.update(line + b"\n")
        if kind is not None:
            self.counts[kind.value] += 1

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def line(self) -> bytes:
        return orjson.dumps({"kind": END, "counts": dict(self.counts), "sha256": self.sha256})


def header_of(world_id: str) -> bytes:
    """The first line."""
    return orjson.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, "world": world_id})
