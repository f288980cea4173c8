"""The lines of a world's file, looked at one after the other: what each holds, and that it stands where it belongs."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from llmops_api.core.world_files import END, FORMAT, FORMAT_VERSION, Entry, Kind, Seal
from llmops_api.errors import BadInput, FieldError, pointer
from llmops_api.features.transfer.schemas import LINES, End, Header
from llmops_api.ports.state import holds_nul

T = TypeVar("T", bound=BaseModel)


class Lines:
    """What the lines so far make of the next one. Whatever is wrong raises `BadInput` with the number of its line."""

    def __init__(self, max_line_bytes: int) -> None:
        self.seal = Seal()
        self.documents = 0
        """Of the lore documents those that are not deleted."""
        self._max_line_bytes = max_line_bytes
        self._number = 0
        self._world = ""
        self._last: Entry | None = None
        self._holder: Entry | None = None
        """What the versions or turns that may come now belong to."""
        self._ended = False

    def take(self, raw: bytes) -> bool:
        """Look at the next line; whether it is one that holds a part of the world."""
        self._number += 1
        if self._ended:
            raise self._wrong("", "comes after the end of the file")
        line = self._parsed(raw)
        if self._number == 1:
            self._world = self._header(line).world
            self.seal.add(raw)
            return False
        if line.get("kind") == END:
            self._end(self._checked(End, line))
            return False
        entry = self._entry(line)
        self._require_place(entry)
        self.seal.add(raw, entry.kind)
        self.documents += entry.kind is Kind.DOCUMENT and entry.value is not None
        self._last = entry
        return True

    def finish(self) -> None:
        """Call it when no line is left: the last one must have been the end."""
        if not self._ended:
            self._number += 1
            raise self._wrong("", "is missing: the file was cut off" if self._last else "is missing")

    def _parsed(self, raw: bytes) -> dict[str, Any]:
        if len(raw) > self._max_line_bytes:
            hint = "LLMOPS_MAX_DOCUMENT_CHARS raises the limit."
            raise self._wrong("", f"is longer than {self._max_line_bytes} bytes", hint)
        if holds_nul(raw):
            raise self._wrong("", "holds a NUL character")
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise self._wrong("", f"is not JSON in UTF-8: {error.msg}") from error
        if not isinstance(line, dict):
            raise self._wrong("", "is not a JSON object")
        try:
            orjson.dumps(line.get("value"))
        except TypeError as error:
            raise self._wrong("/value", "is nested too deeply") from error
        return line

    def _header(self, line: Mapping[str, Any]) -> Header:
        if line.get("format") != FORMAT:
            raise self._wrong("/format", f"is not {FORMAT!r}: this is no file of a world")
        version = line.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION:
            message = f"is {version}, and this release reads {FORMAT_VERSION}"
            raise self._wrong("/format_version", message, "Import it with a newer release.")
        return self._checked(Header, line)

    def _entry(self, line: dict[str, Any]) -> Entry:
        kind = line.get("kind")
        if kind not in list(Kind):
            message = f"is {str(kind)[:40]!r}, which this release does not know"
            raise self._wrong("/kind", message, "Import the file with a newer release.")
        self._checked(LINES[Kind(kind)], line)
        try:
            return Entry.of(line)
        except ValueError as error:
            raise self._wrong("/at", "is not a moment") from error

    def _require_place(self, entry: Entry) -> None:
        """The world first, everything once and in order, versions and turns behind what they belong to."""
        if (self._last is None) != (entry.kind is Kind.WORLD) or (self._last and entry.place <= self._last.place):
            raise self._wrong("", "does not stand where it belongs, or a second time")
        if entry.kind is Kind.WORLD and entry.id != self._world:
            raise self._wrong("/id", "is not the world of the first line")
        if entry.holder is None:
            self._holder = entry
        else:
            self._require_holder(entry, entry.holder)

    def _require_holder(self, entry: Entry, expected: tuple[Kind, str]) -> None:
        holder, last = self._holder, self._last
        if holder is None or (holder.kind, holder.id) != expected or holder.value is None:
            raise self._wrong("/id", f"is not that of the {expected[0]} before it")
        if entry.kind is Kind.CHARACTER_VERSION and entry.number >= holder.number:
            raise self._wrong("/number", "is not below that of the character")
        follows = last.number + 1 if last and last.kind is Kind.TURN else 1
        if entry.kind is Kind.TURN and entry.number != follows:
            raise self._wrong("/number", f"is not {follows}: a turn is missing")

    def _end(self, end: End) -> None:
        if self._last is None:
            raise self._wrong("", "comes before the world")
        if end.counts != self.seal.counts:
            raise self._wrong("/counts", "are not those of the lines before it")
        if end.sha256 != self.seal.sha256:
            raise self._wrong("/sha256", "is not that of the lines before it: the file was changed after its export")
        self._ended = True

    def _checked(self, model: type[T], line: Mapping[str, Any]) -> T:
        """Raises `BadInput` without what was sent, which may be a player's."""
        try:
            return model.model_validate(line)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            raise self._refusal(
                [FieldError(pointer(each["loc"]), each["msg"].removeprefix("Value error, ")) for each in faults]
            ) from error

    def _wrong(self, field: str, message: str, hint: str | None = None) -> BadInput:
        return self._refusal([FieldError(field, message, hint)])

    def _refusal(self, faults: list[FieldError]) -> BadInput:
        return BadInput(f"Line {self._number} is wrong; nothing was imported.", faults, line=self._number)
