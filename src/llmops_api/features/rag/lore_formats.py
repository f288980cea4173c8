"""A line of JSON and a file of text as lore documents."""

import re
from codecs import BOM_UTF8
from collections.abc import Hashable, Mapping
from pathlib import PurePosixPath
from typing import Any

import orjson
import yaml
from pydantic import ValidationError

from llmops_api.body_lines import line_limit
from llmops_api.core.documents import Document
from llmops_api.errors import BadInput, FieldError, pointer
from llmops_api.features.rag.schemas import IngestLine

MAX_FRONT_MATTER_CHARS = 16 * 1024
"""PyYAML reads some 100 kB a second, on the loop that answers everybody."""
TEXTS = frozenset({".md", ".txt"})

_KNOWN = frozenset(IngestLine.model_fields)
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE)


def document_of_line(raw: bytes, max_chars: int) -> Document:
    """One line as a document. Raises `BadInput` naming each wrong field."""
    if len(raw) > line_limit(max_chars):
        raise _bad(f"is longer than {line_limit(max_chars)} bytes; split the document")
    try:
        value = orjson.loads(raw.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError as error:
        raise _bad(f"is not JSON in UTF-8: {error.msg}") from error
    if not isinstance(value, dict):
        raise _bad("is not a JSON object")
    return _checked(value, max_chars)


def document_of_file(name: str, content: bytes, max_chars: int) -> Document:
    """A `.md` or `.txt` file as a document: its id the path without the ending, its title the file's name.

    In a `.md`, front matter (a YAML mapping between two lines of `---`) gives other fields, and a heading at the head
    of the text the title. Raises `BadInput` naming each wrong field.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise _bad("is not UTF-8") from error
    fields = {"id": str(path.with_suffix("")), "title": path.stem}
    if path.suffix == ".md":
        given, text = _front_matter(text)
        heading, _, rest = text.partition("\n")
        if heading.startswith("#") and "title" not in given:
            given, text = {"title": heading.lstrip("#").strip(), **given}, rest.strip()
        fields |= given
    return _checked({**fields, "text": text}, max_chars)


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The fields at the head of a text, and the rest of it. A field without a value is as good as none."""
    block = _FRONT_MATTER.match(text)
    if block is None:
        return {}, text
    if len(block[1]) > MAX_FRONT_MATTER_CHARS:
        raise _bad(f"has front matter of more than {MAX_FRONT_MATTER_CHARS} characters")
    try:
        value = yaml.load(block[1], _Loader)  # noqa: S506 - a safe loader, and stricter
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 2})" if error.problem_mark else ""
        raise _bad(f"has front matter that is not YAML: {error.problem}{line}") from error
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        RecursionError,
    ) as error:  # the last three: values unlike their tag
        raise _bad("has front matter that is not YAML") from error
    if not isinstance(value, Mapping | None):
        raise _bad("has front matter that is not a mapping of fields")
    fields = {str(name): item for name, item in (value or {}).items() if item is not None}
    return fields, text[block.end() :].strip()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML says nothing of its types
    """YAML as far as JSON goes: a date stays text, and nothing is written once to be repeated a million times."""

    def compose_node(self, parent: yaml.Node | None, index: Hashable) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not taken", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def _checked(value: Mapping[str, Any], max_chars: int) -> Document:
    known = {name: item for name, item in value.items() if name in _KNOWN}
    unknown = {name: item for name, item in value.items() if name not in _KNOWN}
    if unknown and isinstance(known.get("metadata", {}), dict):
        known["metadata"] = {**unknown, **known.get("metadata", {})}
    try:
        line = IngestLine.model_validate(known)
    except ValidationError as error:
        faults = [
            FieldError(pointer(each["loc"]), each["msg"].removeprefix("Value error, "))
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise BadInput("", faults) from error
    if len(line.text) > max_chars:
        raise BadInput("", [FieldError("/text", f"is longer than {max_chars} characters; split the document")])
    return line.document(line.id)


def _bad(message: str) -> BadInput:
    return BadInput("", [FieldError("", message)])
