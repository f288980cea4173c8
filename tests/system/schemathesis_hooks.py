"""What schemathesis cannot read from the OpenAPI document."""

import json
import uuid
from typing import Any

import schemathesis
from hypothesis import strategies as st

INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
SHOWN = st.characters(exclude_categories=INVISIBLE)

schemathesis.openapi.format("model", st.sampled_from(["default", "scripted:demo"]))
schemathesis.openapi.format("text", TEXT)
schemathesis.openapi.format("visible-text", st.tuples(TEXT, SHOWN, TEXT).map("".join))


@schemathesis.serializer("application/x-ndjson")
def serialize_lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body of text goes out as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Whether a key came before with another body is history, which no schema tells: every act gets a new one."""
    if case.headers and case.headers.get("idempotency-key"):
        case.headers["idempotency-key"] = uuid.uuid4().hex


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """No schema can say of any JSON that no string in it holds a NUL, as it is with `metadata`."""
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
        return body | {"metadata": json.loads(json.dumps(body["metadata"]).replace("\\u0000", ""))}
    return body
