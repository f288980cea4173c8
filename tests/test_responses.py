"""How events become answers: numbered, kept alive, replayed, and ended when the client goes."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from llmops_api import responses
from llmops_api.core.idempotency import Receipt, Receipts
from llmops_api.core.keys import ADMIN, Principal, Scope
from llmops_api.errors import ConflictError, IdempotencyMismatch, NotFound, ProviderUnavailable
from llmops_api.ports.state import StateStore
from llmops_api.responses import StreamEvent, claim, fingerprint_of, respond, respond_once
from tests.support import Clock, events_of

OTHER = Principal("key_other", frozenset({Scope.GAME}))


class Said(BaseModel):
    text: str


@dataclass
class Line:
    """A connection with a client: what it sends, and what it got."""

    app: FastAPI
    key: str | None = None
    path: str = "/act"
    left: asyncio.Event = field(default_factory=asyncio.Event)
    got: bytes = b""

    @property
    def request(self) -> Request:
        headers = [(b"idempotency-key", self.key.encode())] if self.key is not None else []
        scope = {"type": "http", "method": "POST", "path": self.path, "headers": headers, "query_string": b""}
        return Request({**scope, "app": self.app, "trace_id": "t" * 32}, self.receive)

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.got += message.get("body", b"")


class Act:
    """A use-case that says its words and then `done`, or fails; it waits before its last word until `go` is set."""

    def __init__(self, *words: str, error: Exception | None = None) -> None:
        self.calls = 0
        self.closed = asyncio.Event()
        self.waits = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self._words = words
        self._error = error

    async def __call__(self, _receipt: Receipt | None) -> AsyncGenerator[StreamEvent, None]:
        self.calls += 1
        try:
            for word in self._words:
                yield StreamEvent("delta", Said(text=word))
            self.waits.set()
            await self.go.wait()
            if self._error is not None:
                raise self._error
            yield StreamEvent("done", Said(text=" ".join(self._words)))
        finally:
            self.closed.set()


@pytest.fixture
def line(state: StateStore, clock: Clock) -> Line:
    """A connection to a service that has receipts."""
    app = FastAPI()
    app.state.backends = SimpleNamespace(state=state)
    app.state.receipts = Receipts(state, clock)
    return Line(app)


async def _answer(
    line: Line, act: Act, *, stream: bool = False, body: str = "hello", principal: Principal = ADMIN
) -> tuple[Response, bytes]:
    """The answer, and its whole body."""
    request = line.request
    response = await respond(request, await claim(request, principal, Said(text=body)), act, stream=stream)
    if not isinstance(response, StreamingResponse):
        return response, bytes(response.body)
    return response, b"".join([bytes(piece) async for piece in response.body_iterator])  # type: ignore[arg-type]  # ours are bytes


async def test_events_are_numbered_from_one_and_the_last_is_the_whole_answer(line: Line) -> None:
    response, body = await _answer(line, Act("Two", "boots."), stream=True)

    assert response.media_type == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert body == (
        b'id: 1\nevent: delta\ndata: {"text":"Two"}\n\n'
        b'id: 2\nevent: delta\ndata: {"text":"boots."}\n\n'
        b'id: 3\nevent: done\ndata: {"text":"Two boots."}\n\n'
    )


async def test_a_whole_answer_is_that_of_the_last_event(line: Line) -> None:
    response, body = await _answer(line, Act("Two", "boots."))

    assert response.status_code == 200
    assert (response.media_type, orjson.loads(body)) == ("application/json", {"text": "Two boots."})


async def test_a_silent_stream_is_kept_alive_by_comments(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """They have no number, and nothing that was said is lost or said twice."""
    monkeypatch.setattr(responses, "KEEP_ALIVE_SECONDS", 0.005)
    act = Act("Two")
    act.go.clear()
    request = line.request
    response = await respond(request, await claim(request, ADMIN, Said(text="hello")), act, stream=True)
    assert isinstance(response, StreamingResponse)
    body = b""
    async with asyncio.timeout(10):
        async for piece in response.body_iterator:
            assert isinstance(piece, bytes)
            body += piece
            if body.count(b": keep-alive\n\n") == 3:
                act.go.set()

    assert body.replace(b": keep-alive\n\n", b"") == (
        b'id: 1\nevent: delta\ndata: {"text":"Two"}\n\nid: 2\nevent: done\ndata: {"text":"Two"}\n\n'
    )


def test_the_silence_before_a_comment_is_that_of_the_contract() -> None:
    """Fifteen seconds: shorter than the idle limit of any proxy that is common."""
    assert responses.KEEP_ALIVE_SECONDS == 15


async def test_a_stream_that_fails_ends_with_the_problem(line: Line) -> None:
    act = Act("Two", error=ProviderUnavailable("away", provider="far"))
    _, body = await _answer(line, act, stream=True)
    (delta, (name, problem)) = events_of(body.decode())

    assert delta == ("delta", {"text": "Two"})
    assert name == "error"
    assert (problem["status"], problem["code"], problem["detail"]) == (503, "provider_unavailable", "away")
    assert (problem["provider"], problem["instance"], problem["trace_id"]) == ("far", "/act", "t" * 32)
    assert b"id: 2\nevent: error\n" in body


async def test_a_stream_tells_nothing_of_a_fault_of_ours(line: Line) -> None:
    _, body = await _answer(line, Act(error=ZeroDivisionError("a secret")), stream=True)
    ((name, problem),) = events_of(body.decode())

    assert (name, problem["status"], problem["code"]) == ("error", 500, "internal_error")
    assert b"secret" not in body


@pytest.mark.parametrize("streamed_first", [False, True])
async def test_a_retry_gets_the_same_answer_whole_or_streamed(line: Line, streamed_first: bool) -> None:
    """Whichever way the first was read; the act is done once."""
    line.key, act = "k", Act("Two", "boots.")
    first, _ = await _answer(line, act, stream=streamed_first)
    whole, body = await _answer(line, act)
    streamed, events = await _answer(line, act, stream=True)

    assert act.calls == 1
    assert "idempotent-replayed" not in first.headers
    assert [each.headers["idempotent-replayed"] for each in (whole, streamed)] == ["true", "true"]
    assert orjson.loads(body) == {"text": "Two boots."}
    assert events == b'id: 1\nevent: done\ndata: {"text":"Two boots."}\n\n'
    assert streamed.media_type == "text/event-stream"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_act_that_failed_may_be_retried_at_once(line: Line, stream: bool) -> None:
    line.key = "k"
    broken, sound = Act("Two", error=ProviderUnavailable("away", provider="far")), Act("Two")
    if stream:
        await _answer(line, broken, stream=True)
    else:
        with pytest.raises(ProviderUnavailable):
            await _answer(line, broken)
    response, _ = await _answer(line, sound)

    assert sound.calls == 1
    assert "idempotent-replayed" not in response.headers


async def test_without_a_key_every_request_acts(line: Line) -> None:
    act = Act("Two")
    await _answer(line, act)
    await _answer(line, act)

    assert act.calls == 2


async def test_a_key_belongs_to_a_caller_a_path_and_a_body(line: Line) -> None:
    """Of another caller, or on another path, it is another key; with another body it is a mistake."""
    line.key, act = "k", Act("Two")
    await _answer(line, act)
    await _answer(line, act, principal=OTHER)
    line.path = "/other"
    await _answer(line, act)

    assert act.calls == 3
    with pytest.raises(IdempotencyMismatch):
        await _answer(line, act, body="other")


async def test_the_answer_is_kept_before_the_client_has_it(line: Line) -> None:
    """A client that lost the connection while `done` was under way finds it again."""
    line.key, act = "k", Act("Two")
    request = line.request
    response = await respond(request, await claim(request, ADMIN, Said(text="hello")), act, stream=True)
    assert isinstance(response, StreamingResponse)
    events = response.body_iterator
    seen = [await anext(aiter(events)) for _ in range(2)]
    retried, _ = await _answer(line, act)
    await events.aclose()  # type: ignore[attr-defined]  # ours is a generator
    again, _ = await _answer(line, act)

    assert b"event: done" in seen[1]
    assert act.calls == 1
    assert [each.headers["idempotent-replayed"] for each in (retried, again)] == ["true", "true"]


async def test_a_request_under_way_makes_its_retry_wait(line: Line) -> None:
    line.key, act = "k", Act("Two")
    act.go.clear()
    running = asyncio.create_task(_answer(line, act))
    await act.waits.wait()
    with pytest.raises(ConflictError):
        await _answer(line, act)
    act.go.set()
    await running

    assert act.calls == 1


async def test_a_client_that_leaves_a_stream_ends_the_act(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """Which is no failure for the log, and the key is free again for the retry."""
    line.key, act = "k", Act("Two")
    act.go.clear()
    request = line.request
    response = await respond(request, await claim(request, ADMIN, Said(text="hello")), act, stream=True)
    running = asyncio.create_task(response(line.request.scope, line.receive, line.send))
    async with asyncio.timeout(10):
        await act.waits.wait()
        line.left.set()
        await running
        await act.closed.wait()
    retry = Act("Two")
    await _answer(Line(line.app, "k"), retry)

    assert b"event: done" not in line.got
    assert caplog.messages == []
    assert retry.calls == 1


async def test_a_client_that_leaves_a_whole_answer_ends_the_act(line: Line) -> None:
    line.key, act = "k", Act("Two")
    act.go.clear()
    running = asyncio.create_task(_answer(line, act))
    await act.waits.wait()
    line.left.set()
    # A timeout around it would itself cancel the act.
    await asyncio.wait({running}, timeout=10)
    assert running.done()
    response, body = running.result()
    retry = Act("Two")
    await _answer(Line(line.app, "k"), retry)

    assert (response.status_code, body) == (499, b"")
    assert act.closed.is_set()
    assert retry.calls == 1


async def test_a_cancelled_server_is_not_mistaken_for_a_client_that_left(line: Line) -> None:
    act = Act("Two")
    act.go.clear()
    running = asyncio.create_task(_answer(line, act))
    await act.waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert act.closed.is_set()


async def test_what_is_done_once_is_answered_twice(line: Line) -> None:
    """The same status and body, and the act is done once; after a failure it may be done at once."""
    line.key, calls = "k", 0

    async def act() -> Said:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise NotFound("not yet")
        return Said(text=str(calls))

    async def once() -> Response:
        return await respond_once(line.request, ADMIN, b"body", act, status=HTTPStatus.ACCEPTED)

    with pytest.raises(NotFound):
        await once()
    first, again = await once(), await once()

    assert calls == 2
    assert [each.status_code for each in (first, again)] == [202, 202]
    assert orjson.loads(bytes(first.body)) == orjson.loads(bytes(again.body)) == {"text": "2"}
    assert again.headers["idempotent-replayed"] == "true"


def test_a_fingerprint_is_that_of_what_the_body_says() -> None:
    assert fingerprint_of(Said(text="a")) == fingerprint_of(Said(text="a"))
    assert fingerprint_of(Said(text="a")) != fingerprint_of(Said(text="b"))
