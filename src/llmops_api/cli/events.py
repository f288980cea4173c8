"""Server-sent events with their names: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One event of our streams; its data is JSON."""

    name: str
    data: Any


class EventDecoder:
    """Feed it the bytes of a stream, cut anywhere; comments are passed over. Lines end in LF or CRLF."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = "message"
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that this piece completes. Raises ValueError when their data is not JSON."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))

    def _line(self, line: bytes) -> Iterator[Event]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode()
        elif field == b"data":
            self._data.append(value)
        elif not line:
            name, data = self._name, self._data
            self._name, self._data = "message", []
            if data:
                yield Event(name, json.loads(b"\n".join(data)))
