"""An OpenAI-compatible upstream that answers at once, so that what is measured is whoever stands in front of it.

Run as `python -m bench.upstream PORT`. It knows one answer and speaks just enough HTTP/1.1 for it, with none of the
cost of a framework.
"""

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

TEXT = "The gate closes at the Covering Bell, an hour after dusk, and not before."
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "instant",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 24, "completion_tokens": 17, "total_tokens": 41},
}
DELTAS = [
    *({"choices": [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}]} for word in TEXT.split()),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": COMPLETION["usage"]},
]


def _answer(media_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


WHOLE = _answer("application/json", json.dumps(COMPLETION).encode())
STREAMED = _answer(
    "text/event-stream",
    b"".join(b"data: %s\n\n" % json.dumps(delta).encode() for delta in DELTAS) + b"data: [DONE]\n\n",
)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Upstream(asyncio.Protocol):
    """One connection: an answer for every request whose body has come."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not of that class under uvloop, only like it.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._received, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            request, self._received = self._received[:end], self._received[end:]
            self._transport.write(STREAMED if b'"stream":true' in request else WHOLE)


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
