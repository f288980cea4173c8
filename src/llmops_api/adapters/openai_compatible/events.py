"""Server-sent events, read as they come: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from collections.abc import Iterator

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventDecoder:
    """Feed it the bytes of a stream, cut anywhere; it gives the `data` of each event once the event is complete.

    Comments and the fields `event`, `id` and `retry` are passed over; an event that the end of the stream cuts off
    is dropped, as the specification says.
    """

    __slots__ = ("_after_cr", "_data", "_pending", "_started")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._started = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if self._after_cr:
            chunk = chunk.removeprefix(b"\n")  # the second half of a CRLF that ended a line already
        self._after_cr = chunk.endswith(b"\r")
        self._pending += chunk
        if b"\n" not in chunk and b"\r" not in chunk:
            return
        for line in self._lines():
            if line:
                self._field(line)
            elif self._data:
                data, self._data = b"\n".join(self._data), []
                yield data

    def _lines(self) -> list[bytes]:
        """The complete lines without their ends; what is left waits for more."""
        lines = bytes(self._pending).splitlines(keepends=True)
        self._pending.clear()
        if not lines[-1].endswith((b"\n", b"\r")):
            self._pending += lines.pop()
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        return [line.rstrip(b"\r\n") for line in lines]

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
