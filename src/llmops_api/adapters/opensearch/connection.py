"""The connections to one host: the client's own, with large bodies sent in pieces and, on AWS, every request signed."""

from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError
from opensearchpy import AIOHttpConnection
from opensearchpy.exceptions import ConnectionError as NoConnection

from llmops_api.adapters.opensearch.sigv4 import Signer

_PIECE = 64 * 1024
"""Bytes from which on a body is sent in pieces, so that the event loop is not held up by it."""


class HostConnection(AIOHttpConnection):
    """`signer`, which comes among the options of the client, signs for AWS."""

    def __init__(self, *, signer: Signer | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._signer = signer

    async def perform_request(  # noqa: PLR0917 - the signature of the client's own connections
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the same
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        if self._signer is not None:
            query = f"?{urlencode(params)}" if params else ""
            address = f"{self.host}{self.url_prefix}{url}{query}"
            headers = {**(headers or {}), **await _signed(self._signer, method, address, body or b"")}
        # The client hands its body on as it is, and aiohttp takes either; only its annotation is narrower.
        sent: Any = BytesIO(body) if body and len(body) > _PIECE else body
        return await super().perform_request(method, url, params, sent, timeout, ignore, headers)


async def _signed(signer: Signer, method: str, address: str, body: bytes) -> dict[str, str]:
    try:
        return await signer.headers(method, address, body)
    except BotoCoreError as error:
        raise NoConnection("N/A", "no credentials of AWS", error) from error
