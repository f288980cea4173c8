"""The JSON Schema that a model's answer must fit: checked without a look at the network or a file, and never for long.

References make a schema of a few lines mean one of millions, so what has any, or is large, is checked in a process of
its own that can be ended.
"""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from llmops_api.core.stopwatch import within
from llmops_api.errors import BadInput, FieldError

MAX_BYTES = 64 * 1024
_REFERENCES = (b"$ref", b"$dynamicRef", b"$recursiveRef")
_CHEAP = 4_000_000
"""Bytes of the schema times bytes of the answer: below it, a check without references takes some milliseconds."""
_SECONDS = 5.0
_CHECK = (
    "import json, sys, jsonschema_rs; schema, value = json.load(sys.stdin);"
    "sys.exit(not jsonschema_rs.validator_for(schema, offline=True).is_valid(value))"
)


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

    async def fits(self, answer: bytes, value: Any, deadline: float | None) -> bool:
        """Whether `value`, read from `answer`, fits. Raises `DeadlineExceeded`, and `BadInput` when it takes too long."""
        referring = any(each in self._source for each in _REFERENCES)
        if not referring and len(self._source) * len(answer) < _CHEAP:
            return self._validator.is_valid(value)
        try:
            return await asyncio.wait_for(within(deadline, self._apart(answer)), _SECONDS)
        except TimeoutError as error:
            raise _wrong(f"takes longer than {_SECONDS:g} s to check", "Use fewer references.") from error

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


def _wrong(what: str, hint: str) -> BadInput:
    return BadInput("1 field is wrong.", [FieldError("/response_format/schema", what, hint)])
