"""What accompanies every request, around an application that answers nothing else."""

import logging
import re
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from llmops_api.request_context import RequestContext, RequestIdFilter

DRAWN = re.compile(rb"[0-9a-f]{16}")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def _answered(*headers: tuple[bytes, bytes]) -> tuple[bytes, str, str]:
    """The id of the answer, the trace of the request, and the id that a log record of it has."""
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}
    sent: list[Message] = []
    record = logging.makeLogRecord({})

    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        RequestIdFilter().filter(record)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestContext(application)(scope, receive, send)
    return dict(sent[0]["headers"])[b"x-request-id"], scope["trace_id"], record.__dict__["request_id"]


@pytest.mark.parametrize("given", [b"match-7", b"!", b"~" * 128], ids=["a word", "one sign", "the longest"])
async def test_a_request_id_goes_out_as_it_came_in(given: bytes) -> None:
    """In the answer's header, and on every log line in between."""
    name, _, logged = await _answered((b"x-request-id", given))

    assert name == given
    assert logged == given.decode()


@pytest.mark.parametrize(
    "given",
    [b"", b"x" * 129, b"two words", b"tab\tbed", b"line\nfeed", b"match-7\n", b"\x7f", "mätch".encode()],
    ids=["empty", "too long", "a space", "a tab", "a line feed", "a last line feed", "delete", "no ASCII"],
)
async def test_a_request_id_that_could_spoil_a_log_is_replaced_by_ours(given: bytes) -> None:
    name, _, logged = await _answered((b"x-request-id", given))

    assert DRAWN.fullmatch(name)
    assert logged == name.decode()


async def test_requests_without_an_id_get_different_ones() -> None:
    first, second = await _answered(), await _answered()

    assert DRAWN.fullmatch(first[0])
    assert first[:2] != second[:2]


async def test_a_trace_goes_on() -> None:
    _, trace, _ = await _answered((b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()))

    assert trace == TRACE


@pytest.mark.parametrize(
    "given",
    [f"01-{TRACE}-00f067aa0ba902b7-01", f"00-{TRACE.upper()}-00f067aa0ba902b7-01", f"00-{TRACE}-00f067aa0ba902b7-01-x"],
    ids=["another version", "capitals", "more behind it"],
)
async def test_a_traceparent_that_is_none_begins_a_trace(given: str) -> None:
    _, trace, _ = await _answered((b"traceparent", given.encode()))

    assert re.fullmatch("[0-9a-f]{32}", trace)
    assert trace != TRACE


async def test_a_request_leaves_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """With the method, the status and the trace; never with the path, which may name a player."""
    caplog.set_level(logging.INFO, "llmops_api.access")
    _, trace, _ = await _answered()

    (line,) = caplog.messages
    assert line.startswith("GET _OTHER 200 ")
    assert line.endswith(f"trace {trace}")
