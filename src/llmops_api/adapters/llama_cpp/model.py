"""A GGUF model inside the process, through llama.cpp (`xllamacpp`, extra `local`).

The file is the model: whatever name stands behind `llama_cpp:`, `LLMOPS_LLAMA_CPP__MODEL_PATH` answers. Field names
are those of llama.cpp's `/v1/chat/completions`; the chat template is the one inside the file.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from llmops_api.adapters.llama_cpp.engine import Engine, Refused, open_engine
from llmops_api.adapters.llama_cpp.gguf import NotGGUF, control_tokens
from llmops_api.adapters.llama_cpp.settings import LlamaCppSettings
from llmops_api.errors import BadInput, ProviderError, ProviderGarbled, ProviderInterrupted, ProviderRejected
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, FinishReason, Usage
from llmops_api.settings import WrongSetting, read

PROVIDER = "llama_cpp"
_SEEDS = 2**32 - 1
"""llama.cpp takes 32 bits, of which the last value means "any"."""

_FINISH_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


@asynccontextmanager
async def open_chat_model(**options: Any) -> AsyncIterator[ChatModel]:
    """`options` are those of `LlamaCppSettings`; they win over the environment. Takes as long as the file to load.

    Raises `WrongSetting` for a path that is no model, and for settings that cannot be.
    """
    settings = read(LlamaCppSettings, **options)
    control_words = await asyncio.to_thread(_control_words, settings.model_path)
    async with open_engine(settings) as engine:
        yield LlamaCppChatModel(engine, control_words)


class _WireModel(BaseModel):
    """What llama.cpp sends. Errors do not repeat what was read: it is what the model says to a player."""

    model_config = ConfigDict(hide_input_in_errors=True)


class _Delta(_WireModel):
    content: str | None = None


class _Choice(_WireModel):
    delta: _Delta
    finish_reason: str | None = None


class _TokenDetails(_WireModel):
    cached_tokens: int = 0


class _Usage(_WireModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _TokenDetails = _TokenDetails()


class _Error(_WireModel):
    code: int = 500
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Piece(_WireModel):
    """A piece of an answer: progress with the prompt (no text), text, the reason of the end, the usage, or an error."""

    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: _Error | None = None


class LlamaCppChatModel:
    """One model, whatever it is called. A thinking model's thoughts are left out of its text."""

    def __init__(self, engine: Engine, control_words: Sequence[str]) -> None:
        self._engine = engine
        self._plain = _disarming(control_words)

    async def generate(self, request: ChatRequest) -> ChatResponse:
        """Read as a stream: between two pieces it can be stopped, which a whole answer could not."""
        async with aclosing(self.stream(request)) as chunks:
            *_, last = parts = [chunk async for chunk in chunks]
        assert last.finish_reason is not None
        return ChatResponse("".join(part.text for part in parts), last.finish_reason, last.usage or Usage())

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        finish_reason, usage = None, None
        try:
            async with aclosing(self._engine.pieces(self._body(request))) as pieces:
                async for data in pieces:
                    piece = _parsed(data)
                    usage = piece.usage or usage
                    for choice in piece.choices:
                        finish_reason = finish_reason or _FINISH_REASONS.get(choice.finish_reason or "")
                        if choice.delta.content:
                            yield ChatChunk(choice.delta.content)
        except Refused as error:
            raise _rejected("its chat template or the schema of the answer does not allow it") from error
        if finish_reason is None:
            raise ProviderInterrupted(f"provider '{PROVIDER}' did not end its answer", provider=PROVIDER)
        yield ChatChunk("", finish_reason, _usage(usage))

    async def ping(self) -> None:
        """A model that is loaded answers."""

    def _body(self, request: ChatRequest) -> bytes:
        sampling = request.parameters
        wanted = request.response_format
        optional = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "stop": sampling.stop_sequences or None,
            "seed": None if sampling.seed is None else sampling.seed % _SEEDS,
            "response_format": wanted and {"type": "json_schema", "json_schema": {"schema": dict(wanted.schema)}},
        }
        body = {
            "messages": [{"role": each.role, "content": self._plain(each.text)} for each in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,  # a piece for each step of the prompt: there, too, the answer can be stopped
            "cache_prompt": True,
            **{field: value for field, value in optional.items() if value is not None},
        }
        try:
            return orjson.dumps(body)
        except orjson.JSONEncodeError as error:
            raise BadInput("The request holds what JSON cannot: half a character, or an endless number.") from error


def _control_words(path: Path) -> tuple[str, ...]:
    setting = "LLMOPS_LLAMA_CPP__MODEL_PATH must be the path of a GGUF file with a chat model"
    try:
        return control_tokens(path)
    except OSError as error:
        raise WrongSetting(f"{setting}; {path} cannot be read: {error.strerror}.") from error
    except NotGGUF as error:
        raise WrongSetting(f"{setting}; {path} is none.") from error


def _disarming(words: Sequence[str]) -> Callable[[str], str]:
    """Puts a space into each control word of a text.

    llama.cpp reads the whole prompt as the template's own, so that a player who types `<|im_end|>` would end the turn
    and begin one of the system's.
    """
    if not words:
        return str
    control = re.compile("|".join(map(re.escape, words)))
    return lambda text: control.sub(lambda word: f"{word[0][0]} {word[0][1:]}", text)


def _parsed(data: bytes) -> _Piece:
    try:
        piece = _Piece.model_validate_json(data)
    except ValidationError as error:
        raise ProviderGarbled(f"provider '{PROVIDER}' answered what is not an answer", provider=PROVIDER) from error
    if piece.error is not None:
        raise _failure(piece.error)
    return piece


def _failure(error: _Error) -> ProviderError:
    if error.n_prompt_tokens is not None:
        return _rejected(
            f"the prompt has {error.n_prompt_tokens} tokens and its context holds {error.n_ctx} "
            "(LLMOPS_LLAMA_CPP__CONTEXT_SIZE)"
        )
    if error.code < 500:
        return _rejected("llama.cpp cannot make an answer of this kind")
    return ProviderInterrupted(f"provider '{PROVIDER}' failed in the middle of its answer", provider=PROVIDER)


def _rejected(why: str) -> ProviderRejected:
    return ProviderRejected(f"provider '{PROVIDER}' refused the request: {why}", provider=PROVIDER)


def _usage(wire: _Usage | None) -> Usage:
    if wire is None:
        return Usage()
    return Usage(wire.prompt_tokens, wire.completion_tokens, cache_read_tokens=wire.prompt_tokens_details.cached_tokens)
