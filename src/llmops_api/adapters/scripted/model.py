"""The harmless twin of every provider: deterministic, offline, and no language model.

It makes its answers from the prompt alone (`answers.py`), or a test queues them. The name of the model
chooses its manner:

- `demo` answers at once;
- `slow` waits before every piece;
- `fails` is unavailable, always;
- `interrupts` stops in the middle of its answer;
- `echo` repeats its whole prompt, as a model would that was talked into it.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmops_api.adapters.scripted.answers import answer
from llmops_api.adapters.scripted.smallest_json import SchemaError, smallest
from llmops_api.errors import ProviderInterrupted, ProviderRejected, ProviderUnavailable
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, FinishReason, Message, Usage

MODELS = ("demo", "slow", "fails", "interrupts", "echo")
_PROVIDER = "scripted"
_PIECE = re.compile(r"\S{1,16}\s*|\s+")
_REQUESTS_KEPT = 1000


class ScriptedSettings(BaseSettings):
    """Read from `LLMOPS_SCRIPTED__...`: how long `slow` waits, after how many pieces `interrupts` stops."""

    model_config = SettingsConfigDict(env_prefix="LLMOPS_SCRIPTED__", env_file=".env", extra="ignore", frozen=True)

    slow_seconds: float = Field(0.2, ge=0)
    interrupts_after: int = Field(3, ge=0)


@asynccontextmanager
async def open_chat_model(**options: Any) -> AsyncIterator[ChatModel]:
    """`options` are those of `ScriptedSettings`; they win over the environment."""
    yield ScriptedChatModel(ScriptedSettings(**options))


@dataclass(frozen=True, slots=True)
class _Reply:
    pieces: Sequence[str]
    finish_reason: FinishReason
    usage: Usage


class ScriptedChatModel:
    """A word is a token, and a piece of a stream. It knows `max_tokens` and `stop_sequences` of the parameters.

    `requests` holds the last thousand that it was asked.
    """

    def __init__(self, settings: ScriptedSettings | None = None) -> None:
        self._settings = settings or ScriptedSettings()
        self._queue: deque[str | Exception] = deque()
        self.requests: deque[ChatRequest] = deque(maxlen=_REQUESTS_KEPT)

    def queue(self, *replies: str | Exception) -> None:
        """What the next calls say or raise, one each, before the model answers by itself again; its manner stays."""
        self._queue.extend(replies)

    async def generate(self, request: ChatRequest) -> ChatResponse:
        reply = self._reply(request)
        text = "".join([piece async for piece in self._spoken(reply, request.model)])
        return ChatResponse(text, reply.finish_reason, reply.usage)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        reply = self._reply(request)
        async with aclosing(self._spoken(reply, request.model)) as pieces:
            async for piece in pieces:
                yield ChatChunk(piece)
        yield ChatChunk("", reply.finish_reason, reply.usage)

    async def ping(self) -> None:
        """It is always there."""

    def _reply(self, request: ChatRequest) -> _Reply:
        self.requests.append(request)
        if request.model not in MODELS:
            raise ProviderRejected(f"scripted has the models {', '.join(MODELS)}", provider=_PROVIDER)
        if request.model == "fails":
            raise ProviderUnavailable("scripted:fails is never available", provider=_PROVIDER)
        pieces = _PIECE.findall(_until_stop(self._text(request), request.parameters.stop_sequences))
        most = request.parameters.max_tokens
        finish_reason = FinishReason.STOP if most is None or len(pieces) <= most else FinishReason.LENGTH
        spoken = pieces[:most]
        return _Reply(spoken, finish_reason, Usage(_tokens(request.messages), len(spoken)))

    def _text(self, request: ChatRequest) -> str:
        if self._queue:
            queued = self._queue.popleft()
            if isinstance(queued, Exception):
                raise queued
            return queued
        if request.response_format is not None:
            return _json(request.response_format.schema)
        if request.model == "echo":
            return "\n".join(message.text for message in request.messages)
        return answer(request.messages)

    async def _spoken(self, reply: _Reply, model: str) -> AsyncGenerator[str, None]:
        interrupts = model == "interrupts"
        for piece in reply.pieces[: self._settings.interrupts_after if interrupts else None]:
            if model == "slow":
                await asyncio.sleep(self._settings.slow_seconds)
            yield piece
        if interrupts:
            raise ProviderInterrupted(
                "scripted:interrupts stopped in the middle, as it always does", provider=_PROVIDER
            )


def _json(schema: Any) -> str:
    try:
        return orjson.dumps(smallest(schema)).decode()
    except (SchemaError, orjson.JSONEncodeError) as error:
        raise ProviderRejected(f"scripted cannot fill this response format: {error}", provider=_PROVIDER) from error


def _until_stop(text: str, stop_sequences: Sequence[str]) -> str:
    for sequence in stop_sequences:
        text = text.partition(sequence)[0]
    return text


def _tokens(messages: Sequence[Message]) -> int:
    return sum(len(_PIECE.findall(message.text)) for message in messages)
