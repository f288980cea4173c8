"""Every failure as a problem document; nothing below the front door knows HTTP's exceptions."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from llmops_api.errors import BadInput, FieldError, LLMOpsError, MalformedBody, NotFound, TooLarge, pointer
from llmops_api.problems import MEDIA_TYPE, as_error, problem_of, retry_headers
from llmops_api.responses import CLIENT_CLOSED_REQUEST
from llmops_api.schemas import ID, PATH_ID

HINTS = {
    "missing": "Send this field.",
    "extra_forbidden": "Remove it, or look for a misspelt name.",
    "model_attributes_type": "Send a JSON object, as 'Content-Type: application/json'.",
}
ID_HINT = "Use letters, digits, '.', '_' and '-', not dots alone."


class MethodNotAllowed(LLMOpsError):
    """The path knows other methods."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class OtherHTTPError(LLMOpsError):
    """What the framework answers by itself; its status goes through."""

    code: ClassVar[str] = "http_error"


def install(app: FastAPI) -> None:
    """Give the application its handlers."""
    app.add_exception_handler(LLMOpsError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _ours)


def _answer(error: LLMOpsError, request: Request, headers: dict[str, str] | None = None) -> Response:
    problem = problem_of(error, request)
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        headers={**retry_headers(error), **(headers or {})},
        media_type=MEDIA_TYPE,
    )


async def _ours(request: Request, error: Exception) -> Response:
    return _answer(as_error(error), request)


async def _gone(_request: Request, _error: Exception) -> Response:
    """The client left in the middle of its own body: nothing failed, and nobody reads this."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        place = FieldError("", f"Not JSON at character {faults[0]['loc'][-1]}.", "Check quotes, commas and brackets.")
        return _answer(MalformedBody("The body is not JSON.", [place]), request)
    fields: dict[str, FieldError] = {}
    for fault in faults:
        found = _field_error(fault, error.body)
        # A value that fits no branch of a union has a fault for each of them: one field all the same.
        known = fields.get(found.field)
        fields[found.field] = found if known is None else replace(known, message=f"{known.message}; or {found.message}")
    wrong = "1 field is wrong." if len(fields) == 1 else f"{len(fields)} fields are wrong."
    return _answer(BadInput(wrong, list(fields.values())), request)


def _field_error(fault: dict[str, Any], body: Any) -> FieldError:
    """A fault of pydantic's; the value that was sent is left out, since it may be a player's or a secret."""
    place, *path = fault["loc"]
    name = _pointer(path, body, fault["type"]) if place == "body" else str(path[0] if path else place)
    an_id = fault.get("ctx", {}).get("pattern") in {ID, PATH_ID}
    message = fault["msg"].removeprefix("Value error, ")
    return FieldError(name, message, ID_HINT if an_id else HINTS.get(fault["type"]))


def _pointer(path: Sequence[str | int], body: Any, kind: str) -> str:
    """The JSON pointer (RFC 6901) of a place in the body; what follows it in `path` names a branch of a union."""
    steps: list[str | int] = []
    for step in path:
        here = (isinstance(body, dict) and step in body) or (isinstance(body, list) and isinstance(step, int))
        if not here and not (kind == "missing" and step is path[-1]):
            break
        steps.append(step)
        body = body[step] if here else None
    return pointer(steps)


def _allowed(request: Request) -> str:
    """The methods of the path, of all its routes: the router by itself names those of the first."""
    routes = [
        each
        for each in iter_route_contexts(request.app.routes)
        if each.methods and each.path_regex.match(request.url.path)
    ]
    if not routes:
        return "GET, HEAD"  # the assets of the OpenAPI page, which no route of ours serves
    path = min(routes, key=lambda each: len(each.param_convertors)).path
    return ", ".join(sorted({method for each in routes if each.path == path for method in each.methods or ()}))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    match error.status_code:
        case 400:
            return _answer(MalformedBody("The body cannot be read: is it UTF-8 JSON, nested not too deeply?"), request)
        case 404:
            return _answer(NotFound("There is nothing at this path."), request, headers)
        case 405:
            return _answer(
                MethodNotAllowed("This path does not know that method."), request, {"allow": _allowed(request)}
            )
        case 413:
            return _answer(TooLarge("The body is larger than this service takes."), request, headers)
    other = OtherHTTPError(HTTPStatus(error.status_code).phrase)
    other.status = HTTPStatus(error.status_code)  # type: ignore[misc]  # the one family member whose status varies
    return _answer(other, request, headers)
