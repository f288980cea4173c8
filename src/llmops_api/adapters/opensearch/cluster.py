"""One OpenSearch cluster or collection: requests to any of its hosts, and every failure as one of our errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from opensearchpy import AIOHttpConnection, AsyncOpenSearch, JSONSerializer
from opensearchpy.exceptions import ConnectionTimeout, OpenSearchException, SerializationError, TransportError

from llmops_api.adapters.opensearch.settings import OpenSearchSettings
from llmops_api.adapters.opensearch.sigv4 import SignedConnection, Signer
from llmops_api.errors import BackendUnavailable

_CONNECTIONS = 64
"""To each host."""

_DEAD_SECONDS = 5
"""For which a host that failed is passed over, longer with each failure."""

_PAUSES = (0.05, 0.2, 0.5, 1.0)
"""Seconds before a request that failed in passing is sent again: a lost node is replaced in about so long."""

_PASSING = frozenset({429, 502, 503, 504})


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
        """Whether the same request may succeed in a moment."""
        return self.status in _PASSING

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
        self, method: str, path: str, body: Any = None, *, seconds: float | None = None, **params: str
    ) -> Any:
        """The answer. `body` is a JSON value, or a sequence of them as bytes for newline-delimited JSON.

        Raises `Refused` for an answer that a caller may understand, `BackendUnavailable` for none.
        """
        sent = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        for pause in (*_PAUSES, None):
            try:
                return await self._once(method, path, sent, params, seconds or self._seconds)
            except Refused as error:
                if not error.passing:
                    raise
                if pause is None:
                    raise error.unavailable() from error
            except ConnectionTimeout as error:
                raise BackendUnavailable("OpenSearch did not answer in time.", backend="lore") from error
            except OpenSearchException as error:
                if pause is None:
                    raise BackendUnavailable("OpenSearch cannot be reached.", backend="lore") from error
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, method: str, path: str, body: bytes | None, params: Mapping[str, str], seconds: float) -> Any:
        try:
            answer = await self._client.transport.perform_request(
                method, path, params=dict(params), body=body, timeout=seconds
            )
        except TransportError as error:
            if not isinstance(error.status_code, int):
                raise
            told = error.info.get("error") if isinstance(error.info, Mapping) else None
            raise Refused.of(error.status_code, told) from error
        return answer

    async def ask_many(self, path: str, lines: Sequence[Any]) -> list[Any]:
        """The answers to the searches of one `_msearch`, all of them, each of all shards. Raises as `ask` does."""
        body = ndjson(lines)
        for pause in (*_PAUSES, None):
            answers = (await self.ask("POST", path, body))["responses"]
            failed = [Refused.of(each["status"], each["error"]) for each in answers if "error" in each]
            if not failed:
                return list(answers)
            lasting = [each for each in failed if not each.passing]
            if lasting:
                raise lasting[0]
            if pause is not None:
                await asyncio.sleep(pause)
        raise failed[0].unavailable()


def ndjson(lines: Sequence[Any]) -> bytes:
    """A JSON value a line."""
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


class _Json(JSONSerializer):
    """The client's own, with a quicker reader."""

    def loads(self, data: str) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise SerializationError(data, error) from error


@asynccontextmanager
async def open_cluster(settings: OpenSearchSettings) -> AsyncIterator[Cluster]:
    """Nothing is asked yet, so OpenSearch need not be there."""
    # At its lowest level the client logs bodies: lore, and what players ask.
    logging.getLogger("opensearch").setLevel(logging.INFO)
    client = AsyncOpenSearch(
        settings.urls,
        timeout=settings.timeout,
        max_retries=len(settings.urls),
        retry_on_timeout=True,
        retry_on_status=(502, 503, 504),
        dead_timeout=_DEAD_SECONDS,
        pool_maxsize=_CONNECTIONS,
        serializer=_Json(),
        **_identity(settings),
    )
    try:
        yield Cluster(client, settings.timeout)
    finally:
        await client.close()


def _identity(settings: OpenSearchSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"connection_class": AIOHttpConnection}
    if settings.ca:
        options["ca_certs"] = str(settings.ca)
    if settings.auth == "basic":
        options["http_auth"] = (settings.username, settings.password.get_secret_value())
    elif settings.auth == "sigv4":
        options |= {"connection_class": SignedConnection, "signer": Signer(settings.region, settings.service)}
    return options
