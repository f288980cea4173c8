"""How a use-case's events become an answer: whole or streamed, once for each `Idempotency-Key`, ended when the client goes."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from anyio import CancelScope
from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from llmops_api.core.idempotency import KEY_CHARS_AT_MOST, Receipt, Receipts
from llmops_api.core.keys import Principal
from llmops_api.problems import Problem, as_error, problem_of

KEEP_ALIVE_SECONDS = 15.0
LEASE_SECONDS = 120.0
"""How long an act without a deadline may hold the receipt of its key."""
SPARE_SECONDS = 5.0
"""The same past the deadline of an act that has one."""
WATCH_AFTER_SECONDS = 0.05
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}
IDEMPOTENT: dict[str, Any] = {
    "parameters": [
        {
            "name": "idempotency-key",
            "in": "header",
            "description": "A new one for each act, the same one for each retry of it. A retry gets the stored answer; asked for as a stream, as a lone `done`.",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_AT_MOST},
        }
    ]
}
"""The `openapi_extra` of a route that answers with `respond` or `respond_once`. FastAPI would take twice as long to
read the header as everything else that is done about keys."""
CLIENT_CLOSED_REQUEST = 499
"""The status that nginx logs for a client that went away; nobody reads this answer."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One server-sent event; the last of a use-case is `done`, and its data is the whole answer."""

    name: str
    data: BaseModel


Act = Callable[[Receipt | None], AsyncGenerator[StreamEvent, None]]


async def claim(
    request: Request, principal: Principal, body: BaseModel, *, deadline: float | None = None
) -> Receipt | None:
    """The receipt of the request's `Idempotency-Key`, None without one. Raises as `Receipts.begin`.

    Nobody holds it much longer than until the `deadline` of the act, so that a retry after a crash need not wait long.
    """
    if _key(request) is None:
        return None
    return await begin(request, principal, fingerprint_of(body), deadline=deadline)


async def respond(request: Request, receipt: Receipt | None, act: Act, *, stream: bool) -> Response:
    """Answer with the events of `act`: as they come with `stream`, else with the last one as JSON.

    `act` is given the receipt (see `claim`) and may settle it together with its own writes; what it leaves open is
    settled here. A replayed answer is the stored one, streamed as a lone `done`.
    """
    if receipt is not None and receipt.replay is not None:
        return _replayed(receipt.replay, stream=stream)
    events = act(None) if receipt is None else _settled(act(receipt), receipt, request)
    if stream:
        return StreamingResponse(_encoded(events, request), media_type="text/event-stream", headers=STREAM_HEADERS)
    return await until_disconnected(request, _whole(events))


async def respond_once(
    request: Request,
    principal: Principal,
    fingerprint: bytes,
    act: Callable[[], Awaitable[BaseModel]],
    *,
    status: HTTPStatus,
) -> Response:
    """Answer with what `act` gives, once for each `Idempotency-Key`; `fingerprint` stands for the body."""
    receipt = await begin(request, principal, fingerprint)
    if receipt is None:
        return json_response(await act(), status)
    if receipt.replay is not None:
        return _replayed(receipt.replay, stream=False, status=status)
    async with released(receipt):
        answer = await act()
        await request.app.state.backends.state.write(receipt.settle(answer.model_dump(mode="json")))
    return json_response(answer, status)


def fingerprint_of(body: BaseModel) -> bytes:
    """A digest that two requests share exactly when their bodies say the same."""
    return hashlib.sha256(orjson.dumps(body.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()


async def begin(
    request: Request, principal: Principal, fingerprint: bytes, *, deadline: float | None = None
) -> Receipt | None:
    """The same for a body with this fingerprint (`fingerprint_of`)."""
    key = _key(request)
    if key is None:
        return None
    receipts: Receipts = request.app.state.receipts
    scope = f"{principal.key_id} {request.method} {request.url.path}"
    lease = LEASE_SECONDS if deadline is None else max(0.0, deadline - time.monotonic()) + SPARE_SECONDS
    return await receipts.begin(scope, key, fingerprint.hex(), lease_seconds=lease, deadline=deadline)


@asynccontextmanager
async def released(receipt: Receipt | None) -> AsyncIterator[None]:
    """Forget the receipt when the act fails, so that a retry may act; after an act that was written this is void."""
    try:
        yield
    except BaseException:
        if receipt is not None:
            await asyncio.shield(asyncio.ensure_future(receipt.release()))
        raise


def _key(request: Request) -> str | None:
    return request.headers.get("idempotency-key")


async def until_disconnected(request: Request, work: Coroutine[Any, Any, Response]) -> Response:
    """Await `work`, cancelled soon after the client has closed the connection. The body must have been read."""
    here = asyncio.current_task()
    assert here is not None
    watch = _Watch(request, here)
    # A task for each costs a tenth of a short answer, so only what lasts is watched.
    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, watch.start)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.saw_it_go or here.uncancel() > 0:
            raise
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    finally:
        timer.cancel()
        watch.end()


class _Watch:
    """From its start until its end, cancels a task when the client has gone."""

    def __init__(self, request: Request, task: asyncio.Task[Any]) -> None:
        self._request = request
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        self.saw_it_go = False

    def start(self) -> None:
        self._watching = asyncio.ensure_future(self._cancel_when_gone())

    def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _cancel_when_gone(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.saw_it_go = True
        self._task.cancel()


async def _settled(
    events: AsyncGenerator[StreamEvent, None], receipt: Receipt, request: Request
) -> AsyncGenerator[StreamEvent, None]:
    """The same events; the receipt is settled before `done` goes out, and released when the act failed."""
    async with aclosing(events), released(receipt):
        async for event in events:
            if event.name == "done" and not receipt.settled:
                await request.app.state.backends.state.write(receipt.settle(event.data.model_dump(mode="json")))
            yield event


async def _whole(events: AsyncGenerator[StreamEvent, None]) -> Response:
    async with aclosing(events):
        async for event in events:
            if event.name == "done":
                return json_response(event.data)
    raise AssertionError("a use-case ended without its last event")


def json_response(
    data: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    """A model as JSON, serialised once."""
    return Response(data.model_dump_json(), status, headers, media_type="application/json")


def _replayed(answer: Mapping[str, Any], *, stream: bool, status: HTTPStatus = HTTPStatus.OK) -> Response:
    headers = {"idempotent-replayed": "true"}
    body = orjson.dumps(dict(answer))
    if stream:
        return Response(_event(1, "done", body), headers=headers | STREAM_HEADERS, media_type="text/event-stream")
    return Response(body, status, headers, media_type="application/json")


def _event(number: int, name: str, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), data)


async def _encoded(events: AsyncGenerator[StreamEvent, None], request: Request) -> AsyncIterator[bytes]:
    """Numbered events, a comment whenever nothing happened for a while, and the problem as the last one on failure."""
    number = 0
    async with aclosing(_kept_alive(events)) as beats:
        try:
            async for event in beats:
                if event is None:
                    yield b": keep-alive\n\n"
                    continue
                number += 1
                yield _event(number, event.name, event.data.model_dump_json().encode())
        except Exception as error:  # noqa: BLE001 - the status line is sent: every failure must become an event
            problem: Problem = problem_of(as_error(error), request)
            yield _event(number + 1, "error", problem.model_dump_json(exclude_none=True).encode())


async def _kept_alive(events: AsyncGenerator[StreamEvent, None]) -> AsyncGenerator[StreamEvent | None, None]:
    """The events, with None for every stretch of silence."""
    async with aclosing(events):
        while True:
            following = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({following}, timeout=KEEP_ALIVE_SECONDS))[0]:
                    yield None
            finally:
                if not following.done():
                    following.cancel()
                    # Starlette's cancel scope cancels again at each await: the act must have ended before it is closed.
                    with CancelScope(shield=True):
                        await asyncio.wait({following})
            event = following.result()
            if event is None:
                return
            yield event
