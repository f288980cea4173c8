"""Our requests and answers in the shapes of Converse and ConverseStream.

Field names are those of Bedrock's API reference; botocore's service model of `bedrock-runtime` holds the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from llmops_api.adapters.bedrock.client import BedrockSettings
from llmops_api.adapters.bedrock.failures import garbled
from llmops_api.errors import BadInput
from llmops_api.ports.chat import (
    ChatRequest,
    ChatResponse,
    FinishReason,
    Message,
    Parameters,
    ResponseFormat,
    Role,
    Usage,
)

_FINISH_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
}
"""What is missing here (`malformed_model_output`, `malformed_tool_use`) is no answer."""

_CACHE_POINT = {"cachePoint": {"type": "default"}}
_SILENCE = {"role": "user", "content": [{"text": "..."}]}
"""A conversation must begin with the user, and no text may be blank."""

_TAKES_A_SEED = ("cohere.command-r",)
"""Converse has no seed; these models take one of their own (Bedrock user guide, Cohere Command R)."""


def converse_input(request: ChatRequest, *, cached: bool) -> dict[str, Any]:
    """What Converse and ConverseStream take. `cached`: with a cache point after what is stable.

    System messages come first, wherever they stood. Raises `BadInput` for text or a schema that JSON cannot hold.
    """
    system, messages = _conversation(request.messages, cached=cached)
    seeded = request.parameters.seed is not None and any(each in request.model for each in _TAKES_A_SEED)
    return {
        "modelId": request.model,
        "messages": messages,
        **_given(
            system=system,
            inferenceConfig=_inference(request.parameters),
            outputConfig=request.response_format and _output(request.response_format),
            additionalModelRequestFields={"seed": request.parameters.seed} if seeded else None,
        ),
    }


def configured(settings: BedrockSettings, *, streamed: bool) -> dict[str, Any]:
    """What the settings add to every call of Converse, or of ConverseStream."""
    guardrail: dict[str, Any] | None = None
    if settings.guardrail_id:
        guardrail = {"guardrailIdentifier": settings.guardrail_id, "guardrailVersion": settings.guardrail_version}
        if streamed:
            guardrail["streamProcessingMode"] = settings.guardrail_stream_processing_mode
    return _given(
        guardrailConfig=guardrail,
        performanceConfig=settings.latency and {"latency": settings.latency},
        serviceTier=settings.service_tier and {"type": settings.service_tier},
    )


def response_of(answer: Mapping[str, Any]) -> ChatResponse:
    """The answer of Converse; what is not text in it (reasoning) is left out."""
    blocks = answer["output"]["message"]["content"]
    text = "".join(block.get("text", "") for block in blocks)
    return ChatResponse(text, finish_reason_of(answer["stopReason"]), usage_of(answer["usage"]))


def finish_reason_of(stop_reason: str) -> FinishReason:
    found = _FINISH_REASONS.get(stop_reason)
    if found is None:
        raise garbled("what it could not finish itself")
    return found


def usage_of(wire: Mapping[str, int]) -> Usage:
    """Bedrock's `inputTokens` are those beside the cache; ours count all."""
    read, written = wire.get("cacheReadInputTokens", 0), wire.get("cacheWriteInputTokens", 0)
    return Usage(wire["inputTokens"] + read + written, wire["outputTokens"], read, written)


def _conversation(messages: Sequence[Message], *, cached: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """System blocks, and turns that alternate: what one role says in a row becomes one turn, what is blank none."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    last_stable = max((place for place, each in enumerate(messages) if each.stable), default=-1) if cached else -1
    for place, message in enumerate(messages):
        blocks = [_block(message.text)] if message.text.strip() else []
        if blocks and place == last_stable:
            blocks.append(_CACHE_POINT)
        if message.role is Role.SYSTEM:
            system += blocks
        elif turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": message.role.value, "content": blocks})
    if not turns or turns[0]["role"] != Role.USER:
        turns.insert(0, _SILENCE)
    return system, turns


def _block(text: str) -> dict[str, Any]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput("The request holds what JSON cannot: half a character.") from error
    return {"text": text}


def _inference(parameters: Parameters) -> dict[str, Any]:
    return _given(
        temperature=parameters.temperature,
        topP=parameters.top_p,
        maxTokens=parameters.max_tokens,
        stopSequences=list(parameters.stop_sequences),
    )


def _output(wanted: ResponseFormat) -> dict[str, Any]:
    try:
        schema = orjson.dumps(wanted.schema).decode()
    except orjson.JSONEncodeError as error:
        raise BadInput("The schema holds what JSON cannot: half a character, or an endless number.") from error
    return {
        "textFormat": {
            "type": "json_schema",
            "structure": {"jsonSchema": {"name": wanted.name, "schema": schema}},
        }
    }


def _given(**fields: Any) -> dict[str, Any]:
    """Without what is None or empty."""
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
