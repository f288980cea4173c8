"""Each failure of AWS, of its SDK or of the way there, as one of our errors."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import ClientError as HttpError
from aiohttp import ClientPayloadError
from botocore.eventstream import ParserError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - the SDK's own
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    LoginError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from llmops_api.errors import (
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

PROVIDER = "bedrock"

_BY_CODE: Mapping[str, type[ProviderError]] = {
    "AccessDeniedException": ProviderDenied,
    "InternalServerException": ProviderUnavailable,
    "ModelErrorException": ProviderUnavailable,
    "ModelNotReadyException": ProviderUnavailable,
    "ModelStreamErrorException": ProviderInterrupted,
    "ModelTimeoutException": ProviderTimeout,
    "ResourceNotFoundException": ModelNotServed,
    "ServiceQuotaExceededException": ProviderThrottled,
    "ServiceUnavailableException": ProviderUnavailable,
    "ThrottlingException": ProviderThrottled,
    "ValidationException": ProviderRejected,
}
"""The exceptions of Converse, ConverseStream and InvokeModel in their service model, and those of their streams."""

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: ProviderDenied,
    403: ProviderDenied,
    404: ModelNotServed,
    408: ProviderTimeout,
    429: ProviderThrottled,
    504: ProviderTimeout,
}
"""For the codes that all of AWS shares (expired tokens, wrong signatures) and those to come."""

_UNKNOWN_MODEL = ("model identifier is invalid", "on-demand throughput")
"""Bedrock calls a model that it does not know, or not on demand, a fault of the request; only its words tell."""

_SENTENCES: Mapping[type[ProviderError], str] = {
    ModelNotServed: "does not serve this model or guardrail here: check its id, the region and the account's access",
    ProviderDenied: "denied access: check the credentials and their policy",
    ProviderInterrupted: "stopped in the middle of its answer",
    ProviderThrottled: "asked to slow down",
    ProviderTimeout: "did not answer in time",
}


@contextmanager
def translated() -> Iterator[None]:
    """Whatever AWS, its SDK or the network raises inside, as a `ProviderError`."""
    try:
        yield
    except ClientError as error:
        # Not `from error`: its text is what AWS wrote, which may quote the prompt, and a log would show it.
        raise _refusal(error.response) from None
    except (BotoCoreError, HttpError) as error:
        raise _failure(error) from error
    except (ResponseParserError, ParserError, ValueError, LookupError, TypeError, AttributeError) as error:
        # Not `from error` here either: a parser may quote what it could not read.
        raise garbled(f"what is not an answer ({type(error).__name__})") from None


def garbled(what: str) -> ProviderGarbled:
    return ProviderGarbled(f"provider '{PROVIDER}' answered {what}", provider=PROVIDER)


def interrupted() -> ProviderInterrupted:
    return ProviderInterrupted(f"provider '{PROVIDER}' did not end its answer", provider=PROVIDER)


def _refusal(response: Mapping[str, Any]) -> ProviderError:
    """The error for an exception of AWS; of those inside a stream, the code begins with a small letter."""
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    code = str(error.get("Code") or "an error")
    code = code[:1].upper() + code[1:]
    fact = _BY_CODE.get(code) or _by_status(metadata.get("HTTPStatusCode", 500))
    if code == "ValidationException" and any(phrase in error.get("Message", "") for phrase in _UNKNOWN_MODEL):
        fact = ModelNotServed
    request_id = metadata.get("RequestId")
    traced = f"{code}, request {request_id}" if request_id else code
    message = f"provider '{PROVIDER}' {_SENTENCES.get(fact, 'refused the call')} ({traced})"
    seconds = _seconds(metadata.get("HTTPHeaders", {}).get("retry-after"))
    if fact is ProviderThrottled:
        return ProviderThrottled(message, provider=PROVIDER, retry_after=seconds)
    return fact(message, provider=PROVIDER, **({} if seconds is None else {"retry_after": seconds}))


def _by_status(status: int) -> type[ProviderError]:
    return _BY_STATUS.get(status) or (ProviderUnavailable if status >= 500 else ProviderRejected)


def _failure(error: Exception) -> ProviderError:
    """The error for what went wrong before AWS could answer, or while it did."""
    no_credentials = (
        NoCredentialsError,
        PartialCredentialsError,
        CredentialRetrievalError,
        MetadataRetrievalError,
        NoAuthTokenError,
        TokenRetrievalError,
        SSOError,
        LoginError,
    )
    if isinstance(error, no_credentials):
        return ProviderDenied(f"provider '{PROVIDER}' has no AWS credentials to be called with", provider=PROVIDER)
    if isinstance(error, (ReadTimeoutError, TimeoutError)):
        return ProviderTimeout(f"provider '{PROVIDER}' fell silent", provider=PROVIDER)
    # The SDK names the faults of the network until an answer has begun; inside a stream they come as aiohttp has them.
    cut = isinstance(getattr(error, "kwargs", {}).get("error"), ClientPayloadError)
    if cut or isinstance(error, (HttpError, ResponseStreamingError, IncompleteReadError)):
        return ProviderInterrupted(f"provider '{PROVIDER}' {_SENTENCES[ProviderInterrupted]}", provider=PROVIDER)
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return ProviderUnavailable(f"provider '{PROVIDER}' cannot be reached", provider=PROVIDER)
    return ProviderError(f"provider '{PROVIDER}' could not be called ({type(error).__name__})", provider=PROVIDER)


def _seconds(retry_after: str | None) -> float | None:
    with suppress(TypeError, ValueError):
        seconds = float(retry_after or "")
        return max(0.0, seconds) if math.isfinite(seconds) else None
    return None
