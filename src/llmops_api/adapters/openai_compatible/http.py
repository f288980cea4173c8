"""HTTP towards a provider: one session, bounded reads, and each failure as one of our errors."""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import aiohttp
import orjson
from aiohttp import ClientResponse, hdrs
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from llmops_api.adapters.openai_compatible.events import EventDecoder
from llmops_api.errors import (
    BadInput,
    ModelNotServed,
    ProviderDenied,
    ProviderError,
    ProviderGarbled,
    ProviderInterrupted,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
)

MAX_ANSWER_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 8192
_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 120.0
"""Without a byte, after which a provider is given up, whatever the wrappers around the model allow."""
_DRAIN_SECONDS = 0.1

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: ProviderDenied,
    403: ProviderDenied,
    404: ModelNotServed,
    408: ProviderTimeout,
    504: ProviderTimeout,
}


class WireModel(BaseModel):
    """What a provider sends. Errors do not repeat what was read: it may be a player's words."""

    model_config = ConfigDict(hide_input_in_errors=True)


Wire = TypeVar("Wire", bound=WireModel)


class ProviderHttp:
    """One provider's address. `name` is what it is called in the settings and in errors.

    Nothing that the provider wrote enters a message of ours: it may repeat the prompt or the key.
    """

    def __init__(self, session: aiohttp.ClientSession, base_url: str, name: str) -> None:
        self.name = name
        self._session = session
        self._base_url = base_url.rstrip("/")

    @asynccontextmanager
    async def request(self, method: str, path: str, body: Any = None) -> AsyncIterator[ClientResponse]:
        """A good answer (2xx), its body still to be read; leaving before the body's end closes the connection.

        Raises `BadInput` for a `body` that JSON cannot hold.
        """
        data = None if body is None else _json(body)
        answered = False
        try:
            async with self._session.request(
                method, f"{self._base_url}/{path}", data=data, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    raise self.refusal(response.status, response.headers.get(hdrs.RETRY_AFTER))
                answered = True
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failure(error, answered=answered) from error

    async def read(self, response: ClientResponse) -> bytes:
        """The whole body. Raises `ProviderGarbled` when it is longer than `MAX_ANSWER_BYTES`."""
        return b"".join([piece async for piece in self._bounded(response)])

    async def events(self, response: ClientResponse) -> AsyncGenerator[bytes, None]:
        """The `data` of each server-sent event."""
        decoder = EventDecoder()
        async for piece in self._bounded(response):
            for data in decoder.feed(piece):
                yield data

    def parse(self, data: bytes, wire: type[Wire]) -> Wire:
        """`data` as what it should be. Raises `ProviderGarbled` when it is not."""
        try:
            return wire.model_validate_json(data)
        except ValidationError as error:
            raise self.garbled("what is not an answer") from error

    def garbled(self, what: str) -> ProviderGarbled:
        return ProviderGarbled(f"provider '{self.name}' answered {what}", provider=self.name)

    def refusal(self, status: int, retry_after: str | None = None) -> ProviderError:
        """The error for an HTTP status that is not a success."""
        seconds = None if retry_after is None else _seconds(retry_after)
        if status == 429:
            return ProviderThrottled(
                f"provider '{self.name}' asked to slow down", provider=self.name, retry_after=seconds
            )
        message = f"provider '{self.name}' answered with HTTP status {status}"
        fact = _BY_STATUS.get(status) or (ProviderUnavailable if status >= 500 else ProviderRejected)
        return fact(message, provider=self.name, **({} if seconds is None else {"retry_after": seconds}))

    async def _bounded(self, response: ClientResponse) -> AsyncIterator[bytes]:
        size = 0
        async for piece in response.content.iter_chunked(_PIECE_BYTES):
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise self.garbled(f"more than {MAX_ANSWER_BYTES} bytes")
            yield piece
            if len(piece) == _PIECE_BYTES:
                await asyncio.sleep(0)  # more is there already: others go first

    def _failure(self, error: Exception, *, answered: bool) -> ProviderError:
        if isinstance(error, (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError)):
            return ProviderUnavailable(f"provider '{self.name}' cannot be reached", provider=self.name)
        if isinstance(error, TimeoutError):
            return ProviderTimeout(f"provider '{self.name}' fell silent", provider=self.name)
        if answered:
            return ProviderInterrupted(
                f"provider '{self.name}' stopped in the middle of its answer", provider=self.name
            )
        if isinstance(error, aiohttp.ClientResponseError):
            return self.garbled("what is not HTTP")
        return ProviderUnavailable(f"provider '{self.name}' closed the connection", provider=self.name)


async def drain(response: ClientResponse) -> None:
    """Read the few bytes after a stream's last event, so that the connection can be used again; give up soon."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while not response.content.at_eof():
                await response.content.readany()


@asynccontextmanager
async def open_http(name: str, base_url: str, api_key: SecretStr | None) -> AsyncIterator[ProviderHttp]:
    """A session of its own for one provider, closed at the end; no call is made.

    How many calls run at once is for the wrappers to say, so the pool has no limit; what is compressed is not asked
    for and not unpacked, so that a small answer cannot become a large one.
    """
    headers = {hdrs.CONTENT_TYPE: "application/json", hdrs.ACCEPT_ENCODING: "identity"}
    if api_key is not None:
        headers[hdrs.AUTHORIZATION] = f"Bearer {api_key.get_secret_value()}"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS),
    ) as session:
        yield ProviderHttp(session, base_url, name)


def _json(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise BadInput("The request holds what JSON cannot: half a character, or an endless number.") from error


def _seconds(retry_after: str) -> float | None:
    """`Retry-After` (RFC 9110, 10.2.3): seconds, or a date; None when it is neither."""
    with suppress(ValueError):
        seconds = float(retry_after)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    with suppress(ValueError, TypeError):  # a date without a zone cannot be compared
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    return None
