"""One OpenSearch cluster or collection: requests to any of its hosts, and every failure as one of our errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import orjson
from opensearchpy import AsyncOpenSearch, JSONSerializer
from opensearchpy.exceptions import ConnectionTimeout, OpenSearchException, SerializationError, TransportError

from llmops_api.adapters.opensearch.connection import HostConnection
from llmops_api.adapters.opensearch.settings import OpenSearchSettings
from llmops_api.adapters.opensearch.sigv4 import Signer
from llmops_api.errors import BackendUnavailable

_CONNECTIONS = 64
"""To each host."""

_DEAD_SECONDS = 5
"""For which a host that failed is passed over, longer with each failure."""

_HANGING_HOSTS = 2
"""That a request waits for, each for its time limit; with more, nobody would wait for the last."""

_PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Seconds before a request that failed in passing is sent again: a lost node is replaced in about so long."""


class Refused(Exception):
    """OpenSearch answered, with an error: its HTTP `status`, and the `kind` of the error in OpenSearch's own word."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(f"OpenSearch answered {status} ({kind}).")
        self.status = status
        self.kind = kind

    @classmethod
    def of(cls, status: int, error: Any) -> "Refused":
        """From what stands under `error` in an answer; its reason may quote lore, so it is left there."""
        return cls(status, str(error.get("type")) if isinstance(error, Mapping) else "no reason given")

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed in a moment: a search that lost a node on its way is a 500 too."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    def unavailable(self) -> BackendUnavailable:
        """For callers who can do nothing about it."""
        if self.status in {401, 403}:
            return BackendUnavailable(f"OpenSearch refuses our credentials or a request: {self.kind}.", backend="lore")
        return BackendUnavailable(str(self), backend="lore")


class Cluster:
    """What the adapter asks of OpenSearch; `client` spreads it over the hosts."""

    def __init__(self, client: AsyncOpenSearch, seconds: float) -> None:
        self._client = client
        self._seconds = seconds

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        read: Callable[[Any], Any] = lambda answer: answer,
        seconds: float | None = None,
        **params: str,
    ) -> Any:
        """What `read` makes of the answer; it may raise `Refused` for an error inside.

        `body` is a JSON value, or the bytes of newline-delimited JSON. What fails in passing is sent again, so it must do
        the same when it is done twice. Raises `Refused` for an answer that a caller may understand, `BackendUnavailable`
        for none.
        """
        sent = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        for pause in (*_PAUSES, None):
            try:
                return read(await self._once(method, path, sent, params, seconds or self._seconds))
            except Refused as error:
                if not error.passing:
                    raise
                if pause is None:
                    raise error.unavailable() from error
            except OpenSearchException as error:
                if pause is None:
                    raise BackendUnavailable("OpenSearch cannot be reached.", backend="lore") from error
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def ping(self, path: str) -> None:
        """Return when any host answers, whatever it is; nothing is sent again. Raises as `ask` does."""
        try:
            await self._once("HEAD", path, None, {}, self._seconds)
        except OpenSearchException as error:
            raise BackendUnavailable("OpenSearch cannot be reached.", backend="lore") from error

    async def _once(self, method: str, path: str, body: bytes | None, params: Mapping[str, str], seconds: float) -> Any:
        """One answer, of the first host that gives one. Raises `Refused`, `OpenSearchException`, and
        `BackendUnavailable` when one host, or several together, took too long."""
        try:
            async with asyncio.timeout(_HANGING_HOSTS * seconds):
                return await self._client.transport.perform_request(
                    method, path, params=dict(params), body=body, timeout=seconds
                )
        except (ConnectionTimeout, TimeoutError):
            raise BackendUnavailable("OpenSearch did not answer in time.", backend="lore") from None
        except TransportError as error:
            if not isinstance(error.status_code, int):
                raise
            told = error.info.get("error") if isinstance(error.info, Mapping) else None
            # Not `from error`: its text is OpenSearch's sentence, which may quote lore, and a log would show it.
            raise Refused.of(error.status_code, told) from None


def ndjson(lines: Iterable[Any]) -> bytes:
    """A JSON value a line."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


class _Json(JSONSerializer):
    """The client's own, with a quicker reader."""

    def loads(self, data: str) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            # Without what was read, which the client's own puts in: it may be lore, and a log would show it.
            raise SerializationError("The answer is not JSON.") from None


@asynccontextmanager
async def open_cluster(settings: OpenSearchSettings) -> AsyncIterator[Cluster]:
    """Nothing is asked yet, so OpenSearch need not be there."""
    # Below, the client logs a trace for each attempt, and at its lowest level bodies: lore, and what players ask.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    client = AsyncOpenSearch(
        settings.urls,
        timeout=settings.timeout,
        # The client only goes on from a host that gives no answer, to each of the others; `ask` sends again.
        max_retries=len(settings.urls) - 1,
        retry_on_timeout=True,
        retry_on_status=(),
        dead_timeout=_DEAD_SECONDS,
        pool_maxsize=_CONNECTIONS,
        serializer=_Json(),
        **_identity(settings),
    )
    try:
        yield Cluster(client, settings.timeout)
    finally:
        # The client's own `close` leaves out the hosts that it takes for dead.
        hosts: Sequence[Any] = client.transport.seed_connections
        for host in hosts:
            await host.close()


def _identity(settings: OpenSearchSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"connection_class": HostConnection}
    if settings.ca:
        options["ca_certs"] = str(settings.ca)
    if settings.auth == "basic":
        options["http_auth"] = (settings.username, settings.password.get_secret_value())
    elif settings.auth == "sigv4":
        options["signer"] = Signer(settings.region, settings.service)
    return options
