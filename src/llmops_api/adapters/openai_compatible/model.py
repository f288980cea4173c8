"""Any server that speaks OpenAI's API: vLLM, Ollama, llama.cpp's server, LiteLLM, hosted gateways.

Such servers differ by address and key alone, so each is a row of the settings. Field names are those of OpenAI's
`/v1/chat/completions` and `/v1/embeddings`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import SecretStr

from llmops_api.adapters.openai_compatible.http import ProviderHttp, WireModel, drain, open_http
from llmops_api.errors import ProviderInterrupted
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, FinishReason, ResponseFormat, Usage
from llmops_api.ports.embedding import Embedder, InputType, Vectors

_FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
}
_TOKENS_AT_MOST = 10**9
_INPUTS_PER_CALL = 32
"""What text-embeddings-inference takes unless it is told otherwise; others take more."""


@asynccontextmanager
async def open_chat_model(*, name: str, base_url: str, api_key: SecretStr | None = None) -> AsyncIterator[ChatModel]:
    """`base_url` is what ends in `/v1`; `name` is the provider's name in errors. No call is made."""
    async with open_http(name, base_url, api_key) as http:
        yield OpenAICompatibleChatModel(http, _token_limit_field(base_url))


@asynccontextmanager
async def open_embedder(
    *, name: str, base_url: str, model: str, api_key: SecretStr | None = None, dimensions: int | None = None
) -> AsyncIterator[Embedder]:
    """Without `dimensions` one word is embedded to learn them: then the server must answer when ours starts."""
    async with open_http(name, base_url, api_key) as http:
        size = dimensions or len((await _embed(http, model, ["dimensions"]))[0])
        yield OpenAICompatibleEmbedder(http, model, size)


class _Message(WireModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(WireModel):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None

    def chunk(self) -> ChatChunk:
        said = self.message or self.delta or _Message()
        if said.refusal:
            return ChatChunk(said.refusal, FinishReason.CONTENT_FILTER)
        return ChatChunk(said.content or "", self._ended)

    @property
    def _ended(self) -> FinishReason | None:
        """Some servers have words of their own for an ordinary end (`eos`, `end_turn`)."""
        return _FINISH_REASONS.get(self.finish_reason, FinishReason.STOP) if self.finish_reason else None


class _Completion(WireModel):
    """A whole answer, or a piece of a streamed one, whose last piece may hold the usage and no choice."""

    choices: tuple[_Choice, ...] | None = None
    usage: Any = None
    error: dict[str, Any] | str | None = None


class OpenAICompatibleChatModel:
    """Chat completions: one choice, text only. `token_limit_field` is this server's word for `max_tokens`."""

    def __init__(self, http: ProviderHttp, token_limit_field: str) -> None:
        self._http = http
        self._token_limit_field = token_limit_field

    async def generate(self, request: ChatRequest) -> ChatResponse:
        async with self._http.request("POST", "chat/completions", self._body(request)) as response:
            completion = self._parse(await self._http.read(response))
        if not completion.choices:
            raise self._http.garbled("without choices")
        chunk = completion.choices[0].chunk()
        if chunk.finish_reason is None:
            raise self._interrupted()
        return ChatResponse(chunk.text, chunk.finish_reason, _usage(completion.usage))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        body = {**self._body(request), "stream": True, "stream_options": {"include_usage": True}}
        finish_reason, usage = None, None
        async with (
            self._http.request("POST", "chat/completions", body) as response,
            aclosing(self._http.events(response)) as events,
        ):
            async for data in events:
                if data == b"[DONE]":
                    break
                completion = self._parse(data)
                usage = completion.usage or usage
                if completion.choices:
                    chunk = completion.choices[0].chunk()
                    finish_reason = finish_reason or chunk.finish_reason
                    if chunk.text:
                        yield ChatChunk(chunk.text)
            if finish_reason is None:
                raise self._interrupted()
            yield ChatChunk("", finish_reason, _usage(usage))
            await drain(response)

    async def ping(self) -> None:
        await _ping(self._http)

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        sampling = request.parameters
        optional = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._token_limit_field: sampling.max_tokens,
            "stop": sampling.stop_sequences or None,
            "seed": sampling.seed,
            "response_format": request.response_format and _json_schema(request.response_format),
        }
        return {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            **{field: value for field, value in optional.items() if value is not None},
        }

    def _parse(self, data: bytes) -> _Completion:
        completion = self._http.parse(data, _Completion)
        if completion.error:
            # Inside a 200; with vLLM its `code` is an HTTP status, with others a word or nothing.
            code = completion.error.get("code") if isinstance(completion.error, dict) else None
            raise self._http.refusal(code) if isinstance(code, int) and code >= 400 else self._interrupted()
        return completion

    def _interrupted(self) -> ProviderInterrupted:
        return ProviderInterrupted(f"provider '{self._http.name}' did not end its answer", provider=self._http.name)


class OpenAICompatibleEmbedder:
    """Embeddings of one model, brought to length 1. What is searched and what searches are embedded alike."""

    languages: frozenset[str] | None = None

    def __init__(self, http: ProviderHttp, model: str, dimensions: int) -> None:
        self.id = f"{http.name}:{model}"
        self.dimensions = dimensions
        self._http = http
        self._model = model

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:  # noqa: ARG002 - see the class
        vectors: Vectors = np.empty((len(inputs), self.dimensions), dtype=np.float32)
        for start in range(0, len(inputs), _INPUTS_PER_CALL):
            rows = await _embed(self._http, self._model, inputs[start : start + _INPUTS_PER_CALL])
            if any(len(row) != self.dimensions for row in rows):
                raise self._http.garbled(f"vectors of another length than {self.dimensions}")
            vectors[start : start + len(rows)] = rows
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise self._http.garbled("a vector without a direction")
        vectors /= lengths
        return vectors

    async def ping(self) -> None:
        await _ping(self._http)


class _Embedding(WireModel):
    index: int
    embedding: list[float]


class _Embeddings(WireModel):
    data: list[_Embedding]


async def _embed(http: ProviderHttp, model: str, inputs: Sequence[str]) -> list[list[float]]:
    """One row for each input, in order."""
    body = {"model": model, "input": list(inputs), "encoding_format": "float"}
    async with http.request("POST", "embeddings", body) as response:
        data = http.parse(await http.read(response), _Embeddings).data
    rows = {item.index: item.embedding for item in data}
    if sorted(rows) != list(range(len(inputs))):
        raise http.garbled("with vectors missing")
    return [rows[index] for index in range(len(inputs))]


async def _ping(http: ProviderHttp) -> None:
    async with http.request("GET", "models") as response:
        await http.read(response)


def _usage(wire: Any) -> Usage:
    """What can be read of it: an answer is not worth less because its server cannot count."""
    counts = wire if isinstance(wire, dict) else {}
    details = counts.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    prompt, completion = _tokens(counts.get("prompt_tokens")), _tokens(counts.get("completion_tokens"))
    return Usage(prompt, completion, cache_read_tokens=_tokens(cached))


def _tokens(count: Any) -> int:
    plausible = isinstance(count, int | float) and 0 <= count <= _TOKENS_AT_MOST
    return int(count) if plausible else 0


def _json_schema(wanted: ResponseFormat) -> dict[str, Any]:
    """Without `strict`: OpenAI refuses most schemas as strict ones; callers check what comes back anyway."""
    return {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": dict(wanted.schema)}}


def _token_limit_field(base_url: str) -> str:
    """OpenAI's newer models refuse `max_tokens`; most other servers know no other word."""
    host = urlsplit(base_url).hostname or ""
    return "max_completion_tokens" if host.endswith((".openai.com", ".openai.azure.com")) else "max_tokens"
