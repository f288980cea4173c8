"""What both stand-ins for Bedrock share: its service model as botocore has it, and what they answer."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import botocore.session
import numpy as np
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

WORDS = ("The ", "gate ", "closes ", "at ", "the ", "Covering ", "Bell, ", "über ", "鐘.")
TEXT = "".join(WORDS)
USAGE = {"inputTokens": 12, "outputTokens": 9, "totalTokens": 21}
CACHE_USAGE = {"cacheReadInputTokens": 100, "cacheWriteInputTokens": 30}
METRICS = {"latencyMs": 5}
SECRET = "secret prompt"
"""Every exception says it, as those of AWS may quote what was sent."""


@cache
def service_model() -> ServiceModel:
    model: ServiceModel = botocore.session.Session().get_service_model("bedrock-runtime")
    return model


def operation(name: str) -> OperationModel:
    """`Converse`, `ConverseStream`, `InvokeModel` or `ListAsyncInvokes`."""
    return service_model().operation_model(name)


@cache
def status_of(code: str) -> int:
    """The HTTP status of an exception, as the service model has it; 400 for those that all of AWS shares."""
    shape = service_model().shape_for_error_code(code)
    return int(shape.metadata["error"]["httpStatusCode"]) if shape else 400


def faults_of(name: str, parameters: Mapping[str, Any]) -> str:
    """What is wrong with the parameters of an operation by the service model; empty when nothing is."""
    shape = operation(name).input_shape
    report = ParamValidator().validate(parameters, shape)
    return report.generate_report() if report.has_errors() else "; ".join(_beyond(parameters, shape))


def _beyond(value: Any, shape: Shape) -> Iterator[str]:
    """What botocore's own validator leaves to the service: enumerations, patterns, greatest numbers."""
    if shape.type_name == "structure" and not shape.is_document_type:
        for name, member in value.items():
            yield from _beyond(member, shape.members[name])
    elif shape.type_name == "list":
        for member in value:
            yield from _beyond(member, shape.member)
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        if shape.enum and value not in shape.enum:
            yield f"{shape.name}: {value!r} is none of {shape.enum}"
        if pattern and not re.fullmatch(pattern, value):
            yield f"{shape.name}: {value!r} does not match"
    elif shape.type_name in {"float", "integer"} and value > shape.metadata.get("max", value):
        yield f"{shape.name}: {value} is too large"


def words_of(body: Mapping[str, Any]) -> Sequence[str]:
    """The deltas of an answer: our words, or JSON whose every property is a string, for a schema that asks so."""
    if "outputConfig" not in body:
        return WORDS
    schema = json.loads(body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"])
    text = json.dumps(dict.fromkeys(schema["properties"], "nine"))
    return [text[:4], text[4:]]


def usage_of(model: str, body: Mapping[str, Any]) -> dict[str, int]:
    """With tokens of the cache where a cache point stands, but for the model whose floor every prefix is under."""
    blocks = [*body.get("system", ()), *(block for turn in body["messages"] for block in turn["content"])]
    cached = any("cachePoint" in block for block in blocks) and "haiku" not in model
    return USAGE | CACHE_USAGE if cached else USAGE


def answer_of(model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What Converse returns."""
    content = [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}, {"text": "".join(words_of(body))}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "end_turn",
        "usage": usage_of(model, body),
        "metrics": METRICS,
    }


def events_of(model: str, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events of ConverseStream, each a name with its members; the text begins with the fourth."""
    reasoning = {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm."}}}
    return [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": reasoning},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        *({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": word}}} for word in words_of(body)),
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": usage_of(model, body), "metrics": METRICS}},
    ]


def embeddings_of(model: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What InvokeModel returns for Titan and Cohere; raises `ValueError` for a body that they would refuse."""
    if "titan" in model:
        _allow(body, {"inputText", "dimensions", "normalize"})
        if body["dimensions"] not in {256, 512, 1024} or not body["inputText"]:
            raise ValueError("dimensions or text")
        return {"embedding": _vector(body["inputText"], body["dimensions"]), "inputTextTokenCount": 3}
    sized = {"output_dimension"} if "v4" in model else set[str]()
    _allow(body, {"texts", "input_type", "embedding_types", "truncate"} | sized)
    ends = {"NONE", "LEFT", "RIGHT"} if sized else {"NONE", "START", "END"}
    if not 0 < len(body["texts"]) <= 96 or body["truncate"] not in ends:
        raise ValueError("texts or truncate")
    if body["input_type"] not in {"search_document", "search_query"}:
        raise ValueError("input_type")
    # What is searched and what searches lie close together, and are not the same.
    shift = 0.01 if body["input_type"] == "search_query" else 0.0
    vectors = [[each + shift for each in _vector(text, body.get("output_dimension", 1024))] for text in body["texts"]]
    return {"id": "1", "texts": body["texts"], "response_type": "embeddings_by_type", "embeddings": {"float": vectors}}


def _allow(body: Mapping[str, Any], fields: set[str]) -> None:
    if body.keys() != fields:
        raise ValueError(f"{sorted(body)} instead of {sorted(fields)}")


def _vector(text: str, dimensions: int) -> list[float]:
    """The same for the same text, in a random direction, three long."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).standard_normal(dimensions)
    return [float(each) for each in 3 * vector / np.linalg.norm(vector)]
