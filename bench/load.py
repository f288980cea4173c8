"""The load: a number of connections, each sending its next request when the last one was answered.

Raw HTTP/1.1 on asyncio's protocols, because every client library costs more than the servers that are measured.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, cast

import numpy as np

SECONDS_AT_MOST = 60.0
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: `latencies` of its answers, in seconds, and how long the whole of it took."""

    latencies: Sequence[float]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: float) -> float:
        """In milliseconds."""
        return float(np.percentile(self.latencies, percent)) * 1000


def post(path: str, body: Mapping[str, Any], key: str = "") -> bytes:
    """A whole request as bytes."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\n" + (f"authorization: Bearer {key}\r\n" if key else "") + "\r\n"
    )
    return head.encode() + content


async def load(port: int, requests: Sequence[bytes], *, connections: int, count: int) -> Measured:
    """Send `count` requests, taken from `requests` in turn. Raises on any answer but 200, and after a minute."""
    loop = asyncio.get_running_loop()
    shared = islice(cycle(requests), count)
    clients = [
        (await loop.create_connection(lambda: _Client(shared), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    started = time.perf_counter()
    async with asyncio.timeout(SECONDS_AT_MOST):
        for client in clients:
            client.send_next()
        await asyncio.gather(*(client.finished for client in clients))
    return Measured([each for client in clients for each in client.latencies], time.perf_counter() - started)


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._received = b""
        self._sent_at = 0.0
        self.latencies: list[float] = []
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not of that class under uvloop, only like it.
        self._transport = cast(asyncio.Transport, transport)

    def send_next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.finished.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        length = LENGTH.search(self._received, 0, head + 2) if head >= 0 else None
        if length is None or len(self._received) < head + 4 + int(length[1]):
            return
        self.latencies.append(time.perf_counter() - self._sent_at)
        if not self._received.startswith(b"HTTP/1.1 200"):
            self._fail(f"not answered: {self._received[:500]!r}")
            return
        self._received = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol has it
        if not self.finished.done():
            self._fail("the server closed the connection")

    def _fail(self, reason: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(RuntimeError(reason))
        self._transport.close()
