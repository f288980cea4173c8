"""The JSON Schema that a model's answer must fit: checked without a look at the network or a file, and never for long.

A schema of a few lines can mean one of millions, or a pattern that never ends. So what cannot be told to be cheap is checked
in a process of its own, which gives way to all others and is ended when it takes too long.
"""

import asyncio
import sys
from collections.abc import Mapping
from math import inf
from typing import Any

import jsonschema_rs
import orjson

from llmops_api.core.stopwatch import within
from llmops_api.errors import BadInput, FieldError

MAX_BYTES = 64 * 1024
_CHEAP = 4_000_000
"""Subschemas times bytes of the answer: below it, a check takes some milliseconds."""
_SECONDS = 5.0
_PLACES = asyncio.Semaphore(2)
"""Processes at once."""

_SIMPLE = frozenset(
    [
        "$schema",
        "$id",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "type",
        "enum",
        "const",
        "required",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "format",
    ]
)
"""Keywords that cost no more than the value they look at."""
_ONE, _LIST, _MAP = {"items", "additionalProperties", "not"}, {"allOf", "anyOf", "oneOf", "prefixItems"}, {"properties"}
_DEFINITIONS = {"$defs", "definitions"}

_CHECK = """
import json, os, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (6, 6))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    os.nice(19)
except ImportError:
    pass
import jsonschema_rs
schema, value = json.load(sys.stdin)
sys.exit(not jsonschema_rs.validator_for(schema, offline=True).is_valid(value))
"""
"""Its parent may die first, so it ends by itself too."""


class AnswerSchema:
    """Made before the model is asked: a schema that is none costs nothing."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises `BadInput` naming `/response_format/schema`."""
        self._source = orjson.dumps(dict(schema))
        if len(self._source) > MAX_BYTES:
            raise _wrong(f"is larger than {MAX_BYTES} bytes", "Leave out what the answer does not need.")
        try:
            self._validator = jsonschema_rs.validator_for(dict(schema), offline=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            raise _wrong("is not a JSON Schema that can be used", "Check it against its draft.") from error
        self._steps = _Steps(schema).of(schema)

    async def fits(self, answer: bytes, value: Any, deadline: float | None) -> bool:
        """Whether `value`, read from `answer`, fits. Raises `DeadlineExceeded`, and `BadInput` when it takes too long."""
        if self._steps * len(answer) < _CHEAP:
            return self._validator.is_valid(value)
        return await within(deadline, self._in_turn(answer))

    async def _in_turn(self, answer: bytes) -> bool:
        async with _PLACES:
            try:
                return await asyncio.wait_for(self._apart(answer), _SECONDS)
            except TimeoutError as error:
                hint = "Use fewer references, patterns and unevaluated properties."
                raise _wrong(f"takes longer than {_SECONDS:g} s to check", hint) from error

    async def _apart(self, answer: bytes) -> bool:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHECK, stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await process.communicate(b"[%b,%b]" % (self._source, answer))
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode == 0


class _Steps:
    """How many subschemas a check may visit for one value; `inf` when that cannot be told from the keywords."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self._whole = whole
        self._of_reference: dict[str, float] = {}

    def of(self, schema: Any) -> float:
        if not isinstance(schema, Mapping):
            return 1
        return 1 + sum(self._of_keyword(keyword, value) for keyword, value in schema.items())

    def _of_keyword(self, keyword: str, value: Any) -> float:
        if keyword in _SIMPLE or keyword in _DEFINITIONS:
            return 0
        if keyword == "$ref":
            return self._of_target(value)
        if keyword in _ONE:
            return self.of(value)
        if keyword in _LIST | _MAP:
            return sum(self.of(each) for each in (value.values() if keyword in _MAP else value))
        return inf

    def _of_target(self, reference: str) -> float:
        """Of a definition of this very schema that does not lead back to itself."""
        if reference not in self._of_reference:
            self._of_reference[reference] = inf
            root, _, name = reference.rpartition("/")
            definitions = self._whole.get(root.removeprefix("#/")) if root.startswith("#/") else None
            if root.removeprefix("#/") in _DEFINITIONS and isinstance(definitions, Mapping) and name in definitions:
                self._of_reference[reference] = self.of(definitions[name])
        return self._of_reference[reference]


def _wrong(what: str, hint: str) -> BadInput:
    return BadInput("1 field is wrong.", [FieldError("/response_format/schema", what, hint)])
