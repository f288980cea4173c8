"""The AWS client that every call goes through: its settings, opened once, closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentialResolver
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from botocore.tokens import FrozenAuthToken
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmops_api.adapters.bedrock.failures import translated
from llmops_api.settings import WrongSetting

_SERVICE = "bedrock-runtime"
_CONNECT_SECONDS = 5
_SILENCE_SECONDS = 120
"""Without a byte, after which a call is given up, whatever the wrappers around the model allow."""

_ANSWERING = frozenset(
    {"AccessDeniedException", "ThrottlingException", "UnknownOperationException", "ValidationException"}
)
"""Refusals of a ping that come from a Bedrock that works: a policy may allow to call models and nothing else."""


class BedrockSettings(BaseSettings):
    """Read from `LLMOPS_BEDROCK__...`; what is not given, AWS's own chain of environment, files and roles finds.

    The description of a setting says what it must be.
    """

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_BEDROCK__", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    bearer_token: SecretStr | None = None
    """A Bedrock API key; it is sent in place of a SigV4 signature, and no other credentials are looked for."""

    guardrail_id: str | None = None
    guardrail_version: str = "DRAFT"
    guardrail_stream_processing_mode: Literal["sync", "async"] = Field("sync", description="sync or async")
    latency: Literal["standard", "optimized"] | None = Field(None, description="standard or optimized")
    service_tier: Literal["priority", "default", "flex", "reserved"] | None = Field(
        None, description="priority, default, flex or reserved"
    )
    prompt_cache: Literal["auto", "always", "never"] = Field("auto", description="auto, always or never")
    """`auto`: for the models that are known to take cache points; a model behind an opaque ARN needs `always`."""

    embedding_dimensions: int | None = Field(None, ge=1, description="a whole number that the embedding model offers")


@asynccontextmanager
async def open_client(settings: BedrockSettings) -> AsyncIterator[Any]:
    """A client of the Bedrock runtime. No call of a model is made; credentials may be asked of the machine's role.

    Raises `WrongSetting` for a profile, region or address that cannot be.
    """
    session = AioSession(profile=settings.profile)
    if settings.bearer_token is not None:
        session.register_component("token_provider", _GivenToken(settings.bearer_token))
        session.register_component("credential_provider", AioCredentialResolver([]))
    opening = session.create_client(
        _SERVICE,
        region_name=settings.region,
        endpoint_url=settings.endpoint_url,
        config=_config(with_token=settings.bearer_token is not None),
    )
    try:
        client = await opening.__aenter__()
    except (BotoCoreError, ValueError) as error:
        raise WrongSetting(
            "LLMOPS_BEDROCK__REGION, __PROFILE and __ENDPOINT_URL must be a region, profile and address of AWS: "
            f"{error}"
        ) from error
    try:
        yield client
    finally:
        await client.close()


async def ping(client: Any) -> None:
    """Return when Bedrock answers and knows our credentials; no model is asked. Raises `ProviderError`."""
    with translated():
        try:
            await client.list_async_invokes(maxResults=1)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ANSWERING:
                raise


class _GivenToken:
    """Stands in for the SDK's search of the environment, so that the token is that of our settings."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def load_token(self, **_scope: Any) -> FrozenAuthToken:
        return FrozenAuthToken(self._token.get_secret_value())


def _config(*, with_token: bool) -> AioConfig:
    """Retries and limits are the wrappers' affair, so the SDK does neither; zero connections mean no limit of them.

    The files that describe the service are read in a thread. Whether parameters are right, Bedrock says: one judge,
    and a sixth less work a call.
    """
    return AioConfig(
        connector_args={"keepalive_timeout": 30},
        warm_up_loader_caches=True,
        parameter_validation=False,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_SILENCE_SECONDS,
        max_pool_connections=0,
        retries={"mode": "standard", "total_max_attempts": 1},
        signature_version="bearer" if with_token else None,
    )
