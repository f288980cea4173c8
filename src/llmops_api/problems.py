"""Our errors as RFC 9457 problem documents, in the answer and on the OpenAPI page alike."""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from llmops_api.errors import (
    AuthenticationError,
    BackendUnavailable,
    BadInput,
    ConflictError,
    DeadlineExceeded,
    IdempotencyMismatch,
    LLMOpsError,
    MalformedBody,
    ModelNotServed,
    NotFound,
    PermissionDenied,
    ProviderDenied,
    ProviderError,
    ProviderGarbled,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
    TooLarge,
    UnknownModel,
)

MEDIA_TYPE = "application/problem+json"
PROVIDER_PROBLEMS: tuple[type[LLMOpsError], ...] = (
    ProviderError,
    ProviderRejected,
    ModelNotServed,
    ProviderDenied,
    ProviderGarbled,
    ProviderInterrupted,
    ProviderThrottled,
    ProviderUnavailable,
    ProviderOverloaded,
    ProviderTimeout,
)
"""What a route that asks a provider may answer."""
MODEL_PROBLEMS: tuple[type[LLMOpsError], ...] = (UnknownModel, DeadlineExceeded, *PROVIDER_PROBLEMS)
"""What a route that asks a model by its name may answer."""
KEYED_PROBLEMS: tuple[type[LLMOpsError], ...] = (
    AuthenticationError,
    PermissionDenied,
    NotFound,
    BadInput,
    BackendUnavailable,
)
"""What any route that needs a key may answer."""
ACT_PROBLEMS: tuple[type[LLMOpsError], ...] = (MalformedBody, TooLarge, ConflictError, IdempotencyMismatch)
"""What a route with a body and an `Idempotency-Key` may answer."""


log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """One wrong field."""

    field: str = Field(description="JSON pointer into the body (RFC 6901), or the name of a query or path parameter.")
    message: str = Field(description="What is wrong with it.")
    hint: str | None = Field(None, description="How to mend it.")


class Problem(BaseModel):
    """RFC 9457 problem document. Some problems carry members of their own, such as `provider`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:llmops:problem:bad_input",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "1 field is wrong.",
                "instance": "/v1/worlds/emberfall/ask",
                "code": "bad_input",
                "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                "errors": [{"field": "/question", "message": "Field required", "hint": "Send this field."}],
            }
        },
    )

    type: str = Field(description="A URN that names the kind of problem.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, for a person.")
    instance: str = Field(description="The path that was asked.")
    code: str = Field(description="A stable word that programs may compare.")
    trace_id: str = Field(description="The W3C trace id of the request; quote it in a report.")
    errors: list[FieldProblem] | None = Field(None, description="For bad input: each wrong field.")


class InternalError(LLMOpsError):
    """A fault of ours; the log has the rest under the trace id."""


def as_error(error: Exception) -> LLMOpsError:
    """Ours as it is; anything else, logged, as the one error that tells a caller nothing."""
    if isinstance(error, LLMOpsError):
        return error
    log.error("unexpected failure", exc_info=error)
    return InternalError("Something failed on our side; the log has it.")


def problem_of(error: LLMOpsError, request: Request) -> Problem:
    """The problem document of an error that this request met."""
    errors = None
    if isinstance(error, BadInput) and error.errors:
        errors = [FieldProblem(field=each.field, message=each.message, hint=each.hint) for each in error.errors]
    return Problem(
        type=f"urn:llmops:problem:{error.code}",
        title=error.status.phrase,
        status=error.status,
        detail=error.message,
        instance=request.url.path,
        code=error.code,
        trace_id=request.scope.get("trace_id", ""),
        errors=errors,
        **error.extra,
    )


def retry_headers(error: LLMOpsError) -> dict[str, str]:
    """When to come back, where we know it; which key to bring, where none came."""
    if isinstance(error, ProviderThrottled):
        return {"retry-after": str(max(1, round(error.retry_after or 1)))}
    if isinstance(error, BackendUnavailable):
        return {"retry-after": "1"}
    return {"www-authenticate": "Bearer"} if error.status == 401 else {}


def problems(*errors: type[LLMOpsError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that needs a key, for OpenAPI: an entry a status, naming the codes that it may carry."""
    codes: dict[int, set[str]] = {}
    for error in (*KEYED_PROBLEMS, *errors):
        codes.setdefault(int(error.status), set()).add(error.code)
    return {status: described(HTTPStatus(status), names) for status, names in codes.items()}


def described(status: HTTPStatus, codes: Iterable[str]) -> dict[str, Any]:
    """One of these, with the first of its codes as the example."""
    names = sorted(codes)
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if names[0] != BadInput.code:
        named = {"type": f"urn:llmops:problem:{names[0]}", "title": status.phrase, "status": int(status)}
        content["example"] = named | {
            "detail": "A sentence that says what happened.",
            "instance": "/v1/worlds/emberfall/ask",
            "code": names[0],
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        }
    return {"description": "Problem: " + ", ".join(f"`{name}`" for name in names), "content": {MEDIA_TYPE: content}}


KEYED = problems()
"""Those of every route that needs a key."""
