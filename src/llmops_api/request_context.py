"""What accompanies every request: its id and trace, one log line, one measurement."""

import logging
import random
import re
import time
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llmops_api.telemetry import http_request_finished

request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("llmops_api.access")

REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C trace context, version 00."""


class RequestIdFilter(logging.Filter):
    """Gives every log record the id of the request that it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class RequestContext:
    """ASGI middleware: `x-request-id` in and out, `traceparent` honoured, log line and metric by route template."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        # No secrets, so the kernel need not be asked for them.
        drawn = f"{random.getrandbits(192):048x}"
        given = headers.get(b"x-request-id", b"")
        name = given.decode() if REQUEST_ID.fullmatch(given) else drawn[:16]
        trace = TRACEPARENT.fullmatch(headers.get(b"traceparent", b""))
        scope["trace_id"] = trace[1].decode() if trace else drawn[16:]
        request_id.set(name)
        status = 500
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "_OTHER")
            http_request_finished(scope["method"], route, status, seconds)
            log.info("%s %s %d %.1f ms trace %s", scope["method"], route, status, seconds * 1000, scope["trace_id"])
