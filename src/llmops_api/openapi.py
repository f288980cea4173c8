"""The OpenAPI page: the place where everyone explores the service."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from llmops_api.errors import BadInput
from llmops_api.problems import MEDIA_TYPE, FieldProblem, Problem, described

DESCRIPTION = """\
The service between game servers and language models: text, answers from lore, NPC dialogue.

**Try it.** Press *Authorize* and paste a key; on a laptop the first one lies in `data/admin.key`. Every example on this
page runs as it stands against the sample world `emberfall`.

The model `scripted:demo`, which answers until another is configured, is **no language model**: it quotes the lore that
it is given. Point the alias `default` at a real one with `LLMOPS_MODEL_ALIASES`.

**Conventions.** Errors are problem documents (RFC 9457) that name the field and the fix. Lists are paged with `limit`
and `cursor`. Records have a `version`, sent as `ETag`; a write may say `If-Match`. A `POST` that acts takes an
`Idempotency-Key`: the same key and body give the same answer, and nothing is done twice. With `"stream": true` the answer is
a stream of server-sent events whose last one, `done`, holds the whole answer. A string of the format `text` holds neither
NUL nor half a surrogate pair; `visible-text` shows something besides.
"""

TAGS = [
    {"name": "Text", "description": "Any model behind one interface: whole, streamed, or as JSON that fits a schema."},
    {"name": "Worlds", "description": "One game's namespace each: lore, characters, conversations."},
    {"name": "Lore", "description": "Documents in, chunks and grounded answers out."},
    {"name": "Characters", "description": "Who speaks: versioned, with what they may know."},
    {"name": "Dialogue", "description": "A player's line in, a character's line out, always inside the deadline."},
    {"name": "Jobs", "description": "Long work that survives a restart."},
    {"name": "Keys", "description": "Who may call: scopes, worlds, revocation."},
    {"name": "Health", "description": "For probes and scrapers; these need no key."},
]

EVENT_STREAM = {
    "itemSchema": {
        "type": "object",
        "description": "A server-sent event; the operation's description names its kinds.",
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$", "description": "Counts up from 1."},
            "event": {"type": "string", "description": "Its kind; the last one is `done` or `error`."},
            "data": {"type": "string", "contentMediaType": "application/json", "description": "JSON in one line."},
        },
    },
    "example": 'id: 1\nevent: delta\ndata: {"text":"The gate "}\n\nid: 2\nevent: delta\ndata: {"text":"closes at nine."}\n\n',
}
"""What stands behind `text/event-stream`; `itemSchema` describes each event (OpenAPI 3.2, section 4.14)."""

SAMPLES = {"world": "emberfall", "document_id": "place/ember-gate", "character": "guard"}
"""What the page reads and talks to."""
OWN = {"world": "saltmarsh", "document_id": "place/weeping-stone", "character": "lamplighter"}
"""What the page writes and deletes, so that nobody who tries it out loses a part of the sample world."""
FREE = {"world": "driftwood"}
"""What the page imports under, since a name that is taken is refused."""


def describe(app: FastAPI) -> None:
    """Give the application its page."""
    app.title = "llmops-api"
    app.version = version("llmops-api")
    app.swagger_ui_parameters = {
        "persistAuthorization": True,
        "displayRequestDuration": True,
        "tryItOutEnabled": True,
        "defaultModelsExpandDepth": 0,
    }

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(title=app.title, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way that FastAPI documents for changing the page


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """What the framework leaves open: the schemas of problems, the same problem wherever input can be wrong, streams."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    template = "#/components/schemas/{model}"
    schemas["FieldProblem"] = FieldProblem.model_json_schema(ref_template=template)
    schemas["Problem"] = {
        name: value for name, value in Problem.model_json_schema(ref_template=template).items() if name != "$defs"
    }
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _fill_in(path, method, operation)
            answers = operation["responses"]
            if "422" in answers and MEDIA_TYPE not in answers["422"].get("content", {}):
                answers["422"] = described(HTTPStatus.UNPROCESSABLE_ENTITY, [BadInput.code])
            for answer in answers.values():
                _say_what_comes(answer, schemas)
    return document


def _say_what_comes(answer: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Put a success in the words of what it holds, and describe the events of a stream."""
    content = answer.get("content", {})
    name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    if answer["description"] == "Successful Response":
        answer["description"] = schemas.get(name, {}).get("description", "Done.")
    if "text/event-stream" in content:
        content["text/event-stream"] = EVENT_STREAM


def _fill_in(path: str, method: str, operation: dict[str, Any]) -> None:
    """Give the path's parameters a value, so that an operation can be executed as it stands."""
    free = FREE if path.endswith("/import") else {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        written = method in {"put", "delete"} and path.endswith(f"{{{name}}}")
        if parameter["in"] == "path" and name in SAMPLES:
            parameter["example"] = free.get(name) or (OWN if written else SAMPLES)[name]
