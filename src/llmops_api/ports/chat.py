"""Language models: what is asked, what comes back, and the one protocol that every provider's adapter speaks."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class FinishReason(StrEnum):
    """Why the model stopped; the words of OpenAI's chat completions."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


Part = TextPart
"""What a message is made of: text is the only kind so far, images and audio would join it here."""


@dataclass(frozen=True, slots=True)
class Message:
    """`stable`: all up to its end is the same in request after request, so a provider's prompt cache may keep it."""

    role: Role
    parts: tuple[Part, ...]
    stable: bool = False

    @classmethod
    def of(cls, role: Role, text: str, *, stable: bool = False) -> "Message":
        """A message of one text part."""
        return cls(role, (TextPart(text),), stable)

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Sampling, as in `gen_ai.request.*`; None leaves a value to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop_sequences: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The answer must be JSON that fits `schema` (JSON Schema)."""

    schema: Mapping[str, Any]
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`model` is the provider's own name for it. `deadline` is a moment of `time.monotonic()`, None for none."""

    model: str
    messages: tuple[Message, ...]
    parameters: Parameters = field(default_factory=Parameters)
    response_format: ResponseFormat | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as in `gen_ai.usage.*`. `input_tokens` counts the cached ones too."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ChatResponse:
    text: str
    finish_reason: FinishReason
    usage: Usage


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of a stream: `text` is a delta, never what was sent before; the last one says why it ended and the usage."""

    text: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None


class ChatModel(Protocol):
    """A provider's models. Every failure is a `ProviderError`; cancelling the caller ends the call upstream."""

    async def generate(self, request: ChatRequest) -> ChatResponse:
        """The whole answer at once."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """The answer as it is made; a stream that ends without a `finish_reason` raises `ProviderInterrupted`.

        Whoever may stop before its end reads it inside `contextlib.aclosing`, which ends the call upstream.
        """
        ...

    async def ping(self) -> None:
        """Return when the provider answers; raise `ProviderError` saying why not."""
        ...
