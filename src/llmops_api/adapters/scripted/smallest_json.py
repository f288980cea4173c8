"""The smallest JSON value that fits a schema, for a stand-in that cannot think of a better one."""

import math
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any] | bool

_FORMATS = {
    "date-time": "2000-01-01T00:00:00Z",
    "date": "2000-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "scripted@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}
_UNSUPPORTED = frozenset({"pattern", "not", "if", "contains", "minProperties", "dependentRequired", "dependentSchemas"})
_MOST_STEPS = 10_000
_DEEPEST = 64
_LONGEST_STRING = 1000


class SchemaError(ValueError):
    """The schema is none, or asks for more than the stand-in can do."""


def smallest(schema: Schema) -> Any:
    """A value that fits `schema` (JSON Schema 2020-12): what is required and nothing else, the same every time.

    It knows `const`, `enum`, `type`, `properties`, `required`, `prefixItems`, `items`, `minItems`, the lengths of
    strings, common formats, the bounds and steps of numbers, `allOf`, and `$ref` inside the schema; of `anyOf` and
    `oneOf` it takes the first. Raises `SchemaError` for `pattern` and whatever else it cannot promise.
    """
    try:
        return _Maker(schema).value(schema, 0)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise SchemaError("it is not well formed") from error


class _Maker:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = 0

    def value(self, schema: Schema, depth: int) -> Any:
        if isinstance(schema, bool):
            schema = {} if schema else {"not": {}}
        schema = self._flat(schema, depth)
        if unsupported := _UNSUPPORTED & schema.keys():
            raise SchemaError(f"the stand-in does not know {', '.join(sorted(unsupported))}")
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        return self._typed(schema, depth)

    def _flat(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """The schema with what it refers to, all of `allOf` and the first of the others merged into it."""
        self._steps += 1
        if self._steps > _MOST_STEPS or depth > _DEEPEST:
            raise SchemaError("it has no small value")
        parts = [*schema.get("allOf", ()), *schema.get("anyOf", ())[:1], *schema.get("oneOf", ())[:1]]
        if "$ref" in schema:
            parts.append(self._referred(schema["$ref"]))
        flat = {key: value for key, value in schema.items() if key not in {"$ref", "allOf", "anyOf", "oneOf"}}
        for part in parts:
            flat = _merged(flat, self._flat(part, depth + 1))
        return flat

    def _referred(self, ref: str) -> Any:
        """RFC 6901, inside the schema itself."""
        target: Any = self._root
        start, *path = ref.split("/")
        if start != "#":
            raise SchemaError("the stand-in follows references inside the schema only")
        for token in path:
            target = target[token.replace("~1", "/").replace("~0", "~")]
        return target

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return _string(schema)
            case "integer":
                return int(_number(schema, step=schema.get("multipleOf", 1)))
            case "number":
                return _number(schema, step=schema.get("multipleOf"))
            case kind:
                return False if kind == "boolean" else None

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        return {name: self.value(properties.get(name, others), depth + 1) for name in schema.get("required", ())}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        length = schema.get("minItems", 0)
        if length > 1 and schema.get("uniqueItems"):
            raise SchemaError("the stand-in does not know uniqueItems")
        first = schema.get("prefixItems", ())[:length]
        rest = schema.get("items", True)
        items = [*first, *(rest for _ in range(min(length, _MOST_STEPS + 1) - len(first)))]
        return [self.value(item, depth + 1) for item in items]


def _merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**right, **left}
    if "properties" in left and "properties" in right:
        merged["properties"] = {**right["properties"], **left["properties"]}
    if "required" in left and "required" in right:
        merged["required"] = [*left["required"], *right["required"]]
    return merged


def _type(schema: Mapping[str, Any]) -> str:
    """The first of its types; without one, what its keywords speak of."""
    named = schema.get("type")
    if named is not None:
        return str(named if isinstance(named, str) else named[0])
    hints = {"properties": "object", "required": "object", "items": "array", "minItems": "array"}
    hints |= {"minLength": "string", "format": "string", "minimum": "number", "exclusiveMinimum": "number"}
    return next((kind for keyword, kind in hints.items() if keyword in schema), "null")


def _string(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", _LONGEST_STRING)
    text = _FORMATS.get(schema.get("format", ""))
    text = "scripted"[:most].ljust(min(least, most), ".") if text is None else text
    if least > _LONGEST_STRING or not least <= len(text) <= most:
        raise SchemaError("the stand-in has no string of that length")
    return text


def _number(schema: Mapping[str, Any], step: float | None) -> float:
    """Zero where it may be, else a value near it."""
    low, above = float(schema.get("minimum", -math.inf)), float(schema.get("exclusiveMinimum", -math.inf))
    high, below = float(schema.get("maximum", math.inf)), float(schema.get("exclusiveMaximum", math.inf))
    lowest, highest = max(low, above), min(high, below)
    nearest = min(max(0.0, lowest), highest)
    if step is None:
        candidates = [nearest, nearest + 1, nearest - 1, (lowest + highest) / 2]
    else:
        candidates = [step * (round(nearest / step) + offset) for offset in (0, 1, -1)]
    for value in candidates:
        if low <= value <= high and above < value < below:
            return value
    raise SchemaError("the stand-in found no number within the bounds")
