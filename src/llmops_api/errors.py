"""Every error that may reach a caller, each with its HTTP status and a stable code.

LLMOpsError
├── BadInput 422                what was sent is wrong; `errors` names each field and the fix
│   ├── MalformedBody 400       the body is not JSON, not UTF-8, or nested too deeply
│   ├── TooLarge 413            the body or a line of it is over the limit
│   ├── DocumentsRefused 422    the lore index cannot hold some documents; the others are in it
│   └── UnknownModel 422        neither an alias nor a `provider:name` that is open here
├── AuthenticationError 401     no key, or one that is wrong, expired or revoked
├── PermissionDenied 403        a good key whose scopes do not allow this
├── NotFound 404                no such thing, or not in a world that this key may see
├── ConflictError 409           the same `Idempotency-Key` is still being answered, or a name is taken
├── VersionMismatch 412         another writer was first
├── IdempotencyMismatch 422     the same `Idempotency-Key` came with another body
├── ProviderError 502           a provider of models or vectors failed
│   ├── ProviderRejected 502    it refused the request (a 4xx of its own)
│   ├── ModelNotServed 502      it does not know the model; the next one of an alias may
│   ├── ProviderDenied 502      it refused our credentials: never the player's 403
│   ├── ProviderGarbled 502     it answered something that is not an answer
│   ├── ProviderInterrupted 502 it stopped in the middle of a stream
│   ├── ProviderThrottled 429   it asked us to slow down; `retry_after` when it said for how long
│   ├── ProviderUnavailable 503 it could not be reached, or said that it is not ready
│   ├── ProviderOverloaded 503  our own queue in front of it is full
│   └── ProviderTimeout 504     it did not answer in time
├── DeadlineExceeded 504        the caller's `deadline_ms` passed
└── BackendUnavailable 503      the state store, the lore index or the job runner cannot be reached

An adapter raises these with the original as the cause (`raise ... from`). `message` becomes the problem's
`detail`: it holds no secret, no stack trace, no player text and no lore.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `field` is a JSON pointer into the body (RFC 6901), `hint` says how to mend it."""

    field: str
    message: str
    hint: str | None = None


def pointer(path: Iterable[str | int]) -> str:
    """The steps of a path as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


class LLMOpsError(Exception):
    """The family. `status` is the HTTP status, `code` a stable word that programs may compare."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **extra: Any) -> None:
        """`extra` joins the problem document as members of its own."""
        super().__init__(message)
        self.message = message
        self.extra: Mapping[str, Any] = extra


class BadInput(LLMOpsError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "bad_input"

    def __init__(self, message: str, errors: Sequence[FieldError] = (), **extra: Any) -> None:
        super().__init__(message, **extra)
        self.errors = tuple(errors)


class MalformedBody(BadInput):
    status = HTTPStatus.BAD_REQUEST
    code = "malformed_body"


class TooLarge(BadInput):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class DocumentsRefused(BadInput):
    """`reasons` has why, by document id: in the technology's own words for it, never with lore."""

    code = "documents_refused"

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(f"The lore index cannot hold {_named(reasons)}.", reasons=dict(reasons))
        self.reasons = reasons


def _named(reasons: Mapping[str, str]) -> str:
    """The first few, with why."""
    first = ", ".join(f"{name} ({reason})" for name, reason in islice(reasons.items(), 5))
    return first if len(reasons) <= 5 else f"{first} and {len(reasons) - 5} more"


class UnknownModel(BadInput):
    code = "unknown_model"


class AuthenticationError(LLMOpsError):
    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class PermissionDenied(LLMOpsError):
    status = HTTPStatus.FORBIDDEN
    code = "permission_denied"


class NotFound(LLMOpsError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ConflictError(LLMOpsError):
    status = HTTPStatus.CONFLICT
    code = "conflict"


class VersionMismatch(LLMOpsError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "version_mismatch"


class IdempotencyMismatch(LLMOpsError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "idempotency_mismatch"


class ProviderError(LLMOpsError):
    """`provider` is the name under which the provider stands in the settings."""

    status = HTTPStatus.BAD_GATEWAY
    code = "provider_failed"

    def __init__(self, message: str, *, provider: str, **extra: Any) -> None:
        super().__init__(message, provider=provider, **extra)
        self.provider = provider


class ProviderRejected(ProviderError):
    code = "provider_rejected"


class ModelNotServed(ProviderError):
    code = "model_not_served"


class ProviderDenied(ProviderError):
    code = "provider_denied"


class ProviderGarbled(ProviderError):
    code = "provider_garbled"
    retryable = True


class ProviderInterrupted(ProviderError):
    code = "provider_interrupted"
    retryable = True


class ProviderThrottled(ProviderError):
    """`retry_after` is in seconds, None when the provider did not say."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "provider_throttled"
    retryable = True

    def __init__(self, message: str, *, provider: str, retry_after: float | None = None) -> None:
        super().__init__(message, provider=provider)
        self.retry_after = retry_after


class ProviderUnavailable(ProviderError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "provider_unavailable"
    retryable = True


class ProviderOverloaded(ProviderError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "provider_overloaded"


class ProviderTimeout(ProviderError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "provider_timeout"
    retryable = True


class DeadlineExceeded(LLMOpsError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline_exceeded"


class BackendUnavailable(LLMOpsError):
    """`backend` is the port that does not answer: `state`, `lore`, `jobs`."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "backend_unavailable"

    def __init__(self, message: str, *, backend: str) -> None:
        super().__init__(message, backend=backend)
        self.backend = backend
