"""How much of a body is read."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LIMIT = "llmops_api.body_limit"


@dataclass(slots=True)
class _Limit:
    lifted: bool = False


class BodyLimit:
    """ASGI middleware: reading past the limit is a 413, at once when the length was declared.

    It stands inside our other middleware, so that the refusal is a problem document with a line in the log; the
    framework's own limit answers plain text before either is reached.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        expected = int(declared) if declared.isdigit() else 0
        read = 0
        limit = scope[_LIMIT] = _Limit()

        async def limited() -> Message:
            nonlocal read
            if limit.lifted:
                return await receive()
            # FastAPI passes on no other exception from within the reading of a body.
            too_large = HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            if expected > self._max_bytes:
                raise too_large
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise too_large
            return message

        await self._app(scope, limited, send)


def lift_body_limit(scope: Scope) -> None:
    """Let this request's body be of any size, for a route that reads it piece by piece and keeps none of it in memory."""
    limit: _Limit = scope[_LIMIT]
    limit.lifted = True
