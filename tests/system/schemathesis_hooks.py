"""What schemathesis cannot read from the OpenAPI document."""

import uuid
from typing import Any

import schemathesis
from hypothesis import strategies as st

from llmops_api.features.transfer.example import EXAMPLE

INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SHOWN = st.characters(exclude_categories=INVISIBLE)

schemathesis.openapi.format("model", st.sampled_from(["default", "scripted:demo"]))
schemathesis.openapi.format("text", TEXT)
schemathesis.openapi.format("world-file", st.just(EXAMPLE))
schemathesis.openapi.format("visible-text", st.tuples(TEXT, SHOWN, TEXT).map("".join))


@schemathesis.serializer("application/x-ndjson")
def serialize_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body of text goes out as it is; what is no text cannot be sent as one, so nothing is."""
    return value.encode() if isinstance(value, str) else b""


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Whether a key came before with another body is history, which no schema tells: every act gets a new one."""
    if case.headers and case.headers.get("idempotency-key"):
        case.headers["idempotency-key"] = uuid.uuid4().hex


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """No schema can say of any JSON that no string in it holds a NUL and every integer fits into 64 bits."""
    if isinstance(body, dict):
        return body | {name: _portable(body[name]) for name in ("metadata", "response_format") if name in body}
    return body


def _portable(value: Any) -> Any:
    match value:
        case dict():
            return {_portable(name): _portable(each) for name, each in value.items()}
        case list():
            return [_portable(each) for each in value]
        case str():
            return value.replace("\0", "")
        case int() if not isinstance(value, bool):
            return max(-(2**63), min(value, 2**63))
    return value
