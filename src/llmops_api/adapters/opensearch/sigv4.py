"""Requests signed for AWS (Signature Version 4), with credentials that are found and renewed without blocking.

https://docs.aws.amazon.com/opensearch-service/latest/developerguide/request-signing.html
"""

import hashlib

from aiobotocore.session import AioSession
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


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
