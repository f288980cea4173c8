"""An OpenAI-compatible server of our own whose manners are chosen by the model's name, for what no real one does on cue.

Run as `python -m tests.upstreams.asgi_upstream FD` on a listening socket. `GET /stats` tells how many calls came over how
many connections, how many are open, and how many the caller gave up; `POST /reset` starts to count anew.
"""

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

WORDS = ("The ", "gate ", "closes ", "at ", "the ", "Covering ", "Bell, ", "über ", "鐘.")
TEXT = "".join(WORDS)
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 9,
    "total_tokens": 21,
    "prompt_tokens_details": {"cached_tokens": 4},
}

REFUSALS = {
    "rejected": (400, []),
    "denied": (401, []),
    "forbidden": (403, []),
    "missing": (404, []),
    "throttled": (429, [(b"retry-after", b"7")]),
    "throttled-until": (429, [(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT")]),
    "throttled-somewhen": (429, [(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 -0000")]),
    "throttled-silently": (429, []),
    "failing": (500, []),
    "bad-gateway": (502, []),
    "unready": (503, [(b"retry-after", b"1")]),
    "late": (504, []),
    "moved": (307, [(b"location", b"/v1/chat/completions")]),
}
"""Models that answer with an error status."""

BODIES: dict[str, bytes] = {
    "garbage": b"<html>no such thing</html>",
    "truncated": b'{"choices": [{"message": {"content": "The g',
    "empty": b"",
    "no-choices": b'{"object": "chat.completion", "choices": []}',
    "null-choices": b'{"object": "chat.completion", "choices": null}',
    "odd-content": b'{"choices": [{"message": {"content": {"a": 1}}, "finish_reason": "stop"}]}',
    "no-finish": b'{"choices": [{"message": {"content": "The gate"}, "finish_reason": null}]}',
    "error-in-body": b'{"error": {"message": "secret prompt", "code": 503}}',
    **{
        f"odd-usage-{number}": b'{"choices": [{"message": {"content": "At nine."}, "finish_reason": "end_turn"}], "usage": %b}'
        % usage
        for number, usage in enumerate(
            (
                b"null",
                b"[]",
                b'{"prompt_tokens": null, "completion_tokens": 1.0}',
                b'{"prompt_tokens": 1e300, "completion_tokens": -1, "prompt_tokens_details": []}',
                b'{"prompt_tokens": "12", "completion_tokens": %b}' % (b"9" * 4000),
            )
        )
    },
    "refusing": b'{"choices": [{"message": {"content": null, "refusal": "I cannot."}, "finish_reason": "stop"}]}',
}
"""Models that answer 200 with a body of their own."""

STREAMS: dict[str, list[bytes]] = {
    "garbage": [b"data: {not json\n\n"],
    "no-finish": [b'data: {"choices": [{"delta": {"content": "The gate"}}]}\n\n', b"data: [DONE]\n\n"],
    "error-in-stream": [
        b'data: {"choices": [{"delta": {"content": "The gate"}}]}\n\n',
        b'data: {"error": {"message": "secret prompt", "code": 429}}\n\n',
    ],
    "empty": [],
}
"""Models that stream something of their own."""

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Cut(Exception):
    """Ends a connection in the middle of an answer."""


class Upstream:
    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.open = 0
        self.cancelled = 0
        self.connections: set[int] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        match scope["method"], scope["path"]:
            case "GET", "/stats":
                await send_json(send, self._stats())
            case "POST", "/reset":
                self.calls.clear()
                self.connections.clear()
                self.cancelled = 0
                await send_json(send, {})
            case "GET", "/v1/models":
                await send_json(send, {"object": "list", "data": []})
            case "POST", "/v1/chat/completions" | "/v1/embeddings" as path:
                self.connections.add(scope["client"][1])
                await self._counted(
                    _chat if path.endswith("completions") else _embeddings, json.loads(body), receive, send
                )
            case _:
                await send_json(send, {"error": {"message": "no such path"}}, status=404)

    def _stats(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "connections": len(self.connections),
            "open": self.open,
            "cancelled": self.cancelled,
        }

    async def _counted(self, answer: Callable[..., Any], request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer until done, or until the caller goes."""
        self.calls[request["model"]] += 1
        self.open += 1
        answering = asyncio.ensure_future(answer(request, send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.cancelled += 1
                answering.cancel()
            else:
                answering.result()
        finally:
            leaving.cancel()
            self.open -= 1


async def _chat(request: dict[str, Any], send: Send) -> None:
    model, streamed = request["model"], request.get("stream", False)
    if model == "hanging":
        await asyncio.Event().wait()
    if model == "slow-first":
        await asyncio.sleep(2)
    if model in REFUSALS:
        status, headers = REFUSALS[model]
        await send_json(send, {"error": {"message": "secret prompt", "code": status}}, status=status, headers=headers)
    elif streamed:
        await _stream(request, send)
    elif model in BODIES:
        await respond(send, BODIES[model])
    elif model == "cut":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"choices": [', "more_body": True})
        raise Cut
    else:
        await send_json(send, _completion(request))


def _completion(request: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({"when": "nine"}) if request.get("response_format") else TEXT
    if request["model"] == "parrot":
        text = json.dumps(request)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": USAGE}


async def _stream(request: dict[str, Any], send: Send) -> None:
    model = request["model"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number, piece in enumerate(_pieces(request)):
        if model == "slow-drip":
            await asyncio.sleep(0.05)
        if model == "silent-after-first" and number == 2:
            await asyncio.Event().wait()
        if model == "cut" and number == 3:
            raise Cut
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    if model == "lingering":
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b""})


def _pieces(request: dict[str, Any]) -> list[bytes]:
    model = request["model"]
    if model in STREAMS:
        return STREAMS[model]
    words = [json.dumps({"when": "nine"})] if request.get("response_format") else WORDS
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words), {}]
    objects = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]} for delta in deltas
    ]
    if request.get("stream_options", {}).get("include_usage"):
        objects.append({"choices": [], "usage": USAGE})
    events = [f"data: {json.dumps(each, ensure_ascii=False)}\n\n".encode() for each in objects]
    events.append(b"data: [DONE]\n\n")
    if model == "bytewise":
        whole = b": hello\r\n\r\n" + b"".join(events).replace(b"\n", b"\r\n")
        return [whole[i : i + 1] for i in range(len(whole))]
    return events


async def _embeddings(request: dict[str, Any], send: Send) -> None:
    """The vector of a text is its length, 3 and 4; sent last first, as the field `index` allows."""
    vectors = [[float(len(text)), 3.0, 4.0] for text in request["input"]]
    if request["model"] == "short":
        vectors = vectors[:-1]
    if request["model"] == "zero":
        vectors = [[0.0, 0.0, 0.0] for _ in vectors]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    await send_json(send, {"object": "list", "data": data[::-1], "usage": {"prompt_tokens": 1, "total_tokens": 1}})


async def read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_json(send: Send, value: Any, status: int = 200, headers: Any = ()) -> None:
    await respond(send, json.dumps(value).encode(), status, [(b"content-type", b"application/json"), *headers])


async def respond(send: Send, body: bytes, status: int = 200, headers: Any = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers]})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(Upstream(), log_level="critical", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
