"""A Bedrock of our own whose manners are chosen by the model's name, for what no real one does on cue.

Run as `python -m tests.upstreams.bedrock_upstream FD` on a listening socket. Beside `/stats` and `/reset` of
`asgi_upstream`, `GET /requests` tells the last hundred calls as they came. What is sent is checked against botocore's
service model; a fault in it is a `ValidationException`. A manner may have arguments, after colons:

- `hanging` never answers, `paced:FIRST:GAP` waits so many milliseconds before the first text and between the others;
- `silent-after-first`, `cut`, `truncated` (half an event, then a good end), `no-stop`, `no-usage`, `corrupt`, `odd`,
  `lingering` and `bytewise` streams are what they say;
- `fails:CODE` or `fails:CODE:STATUS` refuses, `recovers:CODE` refuses the first call, `unknown` knows no such model;
- `breaks:CODE` sends an exception after some text, `errs:CODE` an error, `stumbles:CODE` an exception before any in
  its first call;
- `stops:REASON` ends for that reason, in which dots are underscores, as no name of a model may hold those; `together:N` goes on when N streams have begun;
- those of `BODIES` answer a whole call with something of their own; anything else answers well.
"""

import asyncio
import json
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import unquote

import uvicorn
from moto.core.eventstream import EventStreamEncoder

from tests.upstreams.asgi_upstream import Cut, Receive, Scope, Send, Upstream, read_body, respond, send_json
from tests.upstreams.bedrock_wire import SECRET, answer_of, embeddings_of, events_of, faults_of, status_of

OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "invoke": "InvokeModel"}
STREAM_TYPE = [(b"content-type", b"application/vnd.amazon.eventstream")]
REQUEST_ID = "00000000-aaaa-bbbb-cccc-000000000000"

BODIES = {
    "garbage": b"<html>no such thing</html>",
    "empty": b"",
    "no-output": b"{}",
    "no-message": b'{"output": {}, "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1}}',
    "list": b"[]",
    "odd-content": b'{"output": {"message": {"role": "assistant", "content": [{"text": {"a": 1}}]}}}',
    "odd-usage": b'{"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn", "usage": []}',
    "short-titan": b'{"embedding": [1.0, 2.0]}',
    "zero-titan": b'{"embedding": [' + b", ".join([b"0.0"] * 1024) + b"]}",
    "word-titan": b'{"embedding": ["a"]}',
}
"""Models that answer 200 with a body of their own."""

Call = dict[str, Any]
"""`model`, `operation`, `headers` and the `body` as JSON."""


class BedrockUpstream(Upstream):
    def __init__(self) -> None:
        super().__init__()
        self.requests: deque[Call] = deque(maxlen=100)
        self.gathered: Counter[str] = Counter()
        self.all_there = asyncio.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope.get("path", "").split("/"):
            case ["", "model", *_]:
                call = _call(scope, json.loads(await read_body(receive)))
                self.requests.append(call)
                self.connections.add(scope["client"][1])
                await self._counted(self._answer, call, receive, send)
            case ["", "requests"]:
                await send_json(send, list(self.requests))
            case ["", "async-invoke"]:
                self.requests.append(_call(scope, {}))
                await send_json(send, {"asyncInvokeSummaries": []})
            case ["", path]:
                if path == "reset":
                    self.requests.clear()
                    self.gathered.clear()
                await super().__call__(scope, receive, send)

    async def _answer(self, call: Call, send: Send) -> None:
        manner, _, argument = call["model"].partition(":")
        first = self.calls[call["model"]] == 1
        parameters = {"modelId": call["model"], **call["body"]}
        if manner == "hanging":
            await asyncio.Event().wait()
        unchecked = manner == "paced" or call["operation"] == "InvokeModel"
        if not unchecked and (faults := faults_of(call["operation"], parameters)):
            await _refuse(send, "ValidationException", faults)
        elif manner == "fails" or (manner == "recovers" and first):
            await _refuse(send, argument)
        elif manner == "unknown":
            await _refuse(send, "ValidationException", "The provided model identifier is invalid.")
        elif call["operation"] == "ConverseStream":
            await self._stream(call, send, first=first)
        else:
            await _whole(call, send)

    async def _stream(self, call: Call, send: Send, *, first: bool) -> None:
        manner, _, argument = call["model"].partition(":")
        pauses = [int(each) / 1000 for each in argument.split(":")] if manner == "paced" else [0.0, 0.0]
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_TYPE})
        for number, frame in enumerate(_frames(call, first=first)):
            if manner == "cut" and number == 6:
                raise Cut
            if number == 4:
                await self._gather(manner, argument)
            if manner == "silent-after-first" and number == 4:
                await asyncio.Event().wait()
            if 2 < number < 12 and any(pauses):
                await asyncio.sleep(pauses[number > 3])
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        if manner == "lingering":
            await asyncio.sleep(0.02)
        await send({"type": "http.response.body", "body": b""})

    async def _gather(self, manner: str, argument: str) -> None:
        """Wait until so many streams have begun."""
        if manner == "together":
            async with self.all_there:
                self.gathered[argument] += 1
                self.all_there.notify_all()
                await self.all_there.wait_for(lambda: self.gathered[argument] >= int(argument))


def _call(scope: Scope, body: Any) -> Call:
    """A model's name may hold an encoded `/`, so the path is read as it was sent."""
    _, _, model, operation = [*scope["raw_path"].decode().split("/"), "", ""][:4]
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    return {"model": unquote(model), "operation": OPERATIONS.get(operation, ""), "headers": headers, "body": body}


async def _whole(call: Call, send: Send) -> None:
    manner, _, argument = call["model"].partition(":")
    if manner in BODIES:
        await respond(send, BODIES[manner], headers=[(b"content-type", b"application/json")])
    elif manner == "cut":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"output": {', "more_body": True})
        raise Cut
    elif call["operation"] == "InvokeModel":
        await send_json(send, embeddings_of(call["model"], call["body"]))
    else:
        answer = answer_of(call["model"], call["body"])
        await send_json(send, answer | {"stopReason": _reason(argument) if manner == "stops" else "end_turn"})


async def _refuse(send: Send, code: str, message: str = SECRET) -> None:
    """`CODE` or `CODE:STATUS`."""
    code, status, *_ = [*code.split(":"), ""]
    headers = [(b"x-amzn-errortype", code.encode()), (b"x-amzn-requestid", REQUEST_ID.encode())]
    if code == "ThrottlingException":
        headers.append((b"retry-after", b"0"))
    await send_json(send, {"message": message}, status=int(status or status_of(code)), headers=headers)


def _frames(call: Call, *, first: bool) -> Iterable[bytes]:
    """The events of a stream, as its manner would have them."""
    manner, _, argument = call["model"].partition(":")
    frames = _encoded(json.dumps(events_of(call["model"], call["body"])))
    change = CHANGES.get(manner)
    return frames if change is None or (manner == "stumbles" and not first) else change(frames, argument)


@cache
def _encoded(events: str) -> list[bytes]:
    return [_frame("event", name, members) for event in json.loads(events) for name, members in event.items()]


def _frame(kind: str, name: str, members: Any) -> bytes:
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    frame: bytes = EventStreamEncoder().encode_message(headers, json.dumps(members, ensure_ascii=False).encode())
    return frame


def _error(code: str) -> bytes:
    """What the specification of event streams calls an error: outside of the service model."""
    frame: bytes = EventStreamEncoder().encode_message(
        {":message-type": "error", ":error-code": code, ":error-message": SECRET}, b""
    )
    return frame


def _reason(argument: str) -> str:
    return argument.replace(".", "_")


def _exception(code: str) -> bytes:
    return _frame("exception", code, {"message": SECRET})


CHANGES: dict[str, Callable[[list[bytes], str], Iterable[bytes]]] = {
    "breaks": lambda frames, code: [*frames[:5], _exception(code)],
    "stumbles": lambda frames, code: [*frames[:2], _exception(code)],
    "errs": lambda frames, code: [*frames[:5], _error(code)],
    "stops": lambda frames, reason: [
        *frames[:-2],
        _frame("event", "messageStop", {"stopReason": _reason(reason)}),
        frames[-1],
    ],
    "truncated": lambda frames, _: [*frames[:5], frames[5][:-4]],
    "corrupt": lambda frames, _: [*frames[:5], frames[5][:-1] + b"?"],
    "odd": lambda frames, _: [*frames[:5], _frame("event", "contentBlockDelta", {"delta": "?"})],
    "no-stop": lambda frames, _: frames[:-2],
    "no-usage": lambda frames, _: frames[:-1],
    "bytewise": lambda frames, _: (bytes([byte]) for frame in frames for byte in frame),
}
"""Manners that change what a stream is made of; its text begins with the fourth frame."""


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    config = uvicorn.Config(BedrockUpstream(), log_level="critical", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
