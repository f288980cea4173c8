"""Requests signed for AWS (Signature Version 4), with credentials that are found and renewed without blocking.

https://docs.aws.amazon.com/opensearch-service/latest/developerguide/request-signing.html
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from opensearchpy import AIOHttpConnection
from opensearchpy.exceptions import ConnectionError as NoConnection


class Signer:
    """Signs with whatever AWS's own chain of environment, files and roles finds; `service` is `es` or `aoss`."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._session = AioSession()

    async def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """What proves who sends this request. Raises `BotoCoreError` without credentials."""
        # Asked of the session each time: it keeps them, and renews those that expire.
        credentials = await self._session.get_credentials()
        frozen = await credentials.get_frozen_credentials() if credentials else None
        # Serverless collections refuse requests without the digest of the body.
        digest = hashlib.sha256(body).hexdigest()
        request = AWSRequest(method, url, {"X-Amz-Content-SHA256": digest}, body)
        SigV4Auth(frozen, self._service, self._region).add_auth(request)
        return dict(request.headers)


class SignedConnection(AIOHttpConnection):
    """A host that every request is signed for; `signer` comes among the options of the client."""

    def __init__(self, *, signer: Signer, **options: Any) -> None:
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
        query = f"?{urlencode(params)}" if params else ""
        address = f"{self.host}{self.url_prefix}{url}{query}"
        try:
            signed = await self._signer.headers(method, address, body or b"")
        except BotoCoreError as error:
            raise NoConnection("N/A", "no credentials of AWS", error) from error
        return await super().perform_request(method, url, params, body, timeout, ignore, {**(headers or {}), **signed})
