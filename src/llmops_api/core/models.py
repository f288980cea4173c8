"""Which model answers: `provider:name` and aliases, the fall back along an alias, and what the answer cost."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Self

from llmops_api.errors import FieldError, ProviderError, ProviderInterrupted, ProviderRejected, UnknownModel
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, Usage
from llmops_api.settings import Price

log = logging.getLogger(__name__)

DEFAULT_ALIAS = "default"
_PING_SECONDS = 2.0
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A concrete model, written `provider:name`; the name may hold colons of its own."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises `UnknownModel` when it is not of that form."""
        provider, _, name = text.partition(":")
        if not (provider and name):
            raise UnknownModel(f"{text!r} is not of the form 'provider:name'")
        return cls(provider, name)

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a caller's `model` means: the models to try, in order, at least one; the alias when it was one."""

    alias: str | None
    refs: tuple[ModelRef, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    amount: float
    currency: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`ref` is the model that answered; `cost` is None when the settings hold no price for it."""

    response: ChatResponse
    ref: ModelRef
    alias: str | None
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class ProviderState:
    """`reason` says why it does not answer."""

    name: str
    answers: bool
    reason: str | None = None


class Models:
    """The models that are open here. `prices` is by `provider:name`, or by provider for all of its models."""

    def __init__(
        self,
        chat_models: Mapping[str, ChatModel],
        aliases: Mapping[str, Sequence[str]],
        prices: Mapping[str, Price],
    ) -> None:
        """Raises `UnknownModel` for an alias that points to nothing, or to a provider that is not open."""
        self._chat_models = chat_models
        self._prices = prices
        self.aliases = {alias: tuple(ModelRef.parse(ref) for ref in refs) for alias, refs in aliases.items()}
        for alias, refs in self.aliases.items():
            if not refs or any(ref.provider not in chat_models for ref in refs):
                raise UnknownModel(f"the alias {alias!r} must point to models of {', '.join(chat_models)}")

    def resolve(self, model: str | None) -> Choice:
        """An alias, a `provider:name`, or None for the alias `default`. Raises `UnknownModel`."""
        alias = DEFAULT_ALIAS if model is None else model
        if alias in self.aliases:
            return Choice(alias, self.aliases[alias])
        provider, _, name = alias.partition(":")
        if name and provider in self._chat_models:
            return Choice(None, (ModelRef(provider, name),))
        hint = f"Aliases: {', '.join(self.aliases)}. Providers: {', '.join(self._chat_models)}."
        wrong = FieldError("/model", "is neither an alias nor a 'provider:name' whose provider is open here", hint)
        raise UnknownModel("There is no such model.", [wrong])

    def choose(self, wanted: str | None, usual: str | None) -> Choice:
        """The model of a request, else the `usual` one of its world, else the alias `default`.

        Raises `UnknownModel` for the request's own alone: a world whose model is not open here (any more) still answers.
        """
        if wanted is not None or usual is None:
            return self.resolve(wanted)
        try:
            return self.resolve(usual)
        except UnknownModel:
            log.warning("a world names the model %r, which is not open here; '%s' answers", usual, DEFAULT_ALIAS)
            return self.resolve(DEFAULT_ALIAS)

    async def generate(self, choice: Choice, request: ChatRequest) -> Answer:
        """The whole answer of the first model that gives one; whatever `request.model` says is replaced.

        A provider that rejects the request ends the search: the next one would be asked the same. After any other
        `ProviderError` the next model is tried while the deadline allows; else the error stands.
        """
        *earlier, last = choice.refs
        for ref in earlier:
            try:
                return await self._generate(choice, ref, request)
            except ProviderError as error:
                if not _may_fall_back(error, request):
                    raise
        return await self._generate(choice, last, request)

    async def stream(self, choice: Choice, request: ChatRequest) -> AsyncGenerator[ModelRef | str | Answer, None]:
        """Which model speaks, as soon as it does, the deltas of its text, then the whole `Answer`.

        Falls back as `generate` does, before the first text.

        Whoever may stop before its end reads it inside `contextlib.aclosing`, which ends the call upstream.
        """
        for ref in choice.refs:
            begun = False
            try:
                async with aclosing(self._stream(choice, ref, request)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except ProviderError as error:
                if begun or ref is choice.refs[-1] or not _may_fall_back(error, request):
                    raise
            else:
                return

    async def list(self) -> tuple[ProviderState, ...]:
        """Every provider, all asked at once whether they answer."""
        return tuple(await asyncio.gather(*(_state(name, model) for name, model in self._chat_models.items())))

    async def _generate(self, choice: Choice, ref: ModelRef, request: ChatRequest) -> Answer:
        response = await self._chat_models[ref.provider].generate(replace(request, model=ref.name))
        return self._answer(choice, ref, response)

    async def _stream(
        self, choice: Choice, ref: ModelRef, request: ChatRequest
    ) -> AsyncGenerator[ModelRef | str | Answer, None]:
        text: list[str] = []
        ending = ChatChunk()
        async with aclosing(self._chat_models[ref.provider].stream(replace(request, model=ref.name))) as chunks:
            async for ending in chunks:
                if ending.text:
                    if not text:
                        yield ref
                    text.append(ending.text)
                    yield ending.text
        if ending.finish_reason is None:
            raise ProviderInterrupted(f"provider '{ref.provider}' did not end its answer", provider=ref.provider)
        response = ChatResponse("".join(text), ending.finish_reason, ending.usage or Usage())
        yield self._answer(choice, ref, response)

    def _answer(self, choice: Choice, ref: ModelRef, response: ChatResponse) -> Answer:
        price = self._prices.get(str(ref)) or self._prices.get(ref.provider)
        return Answer(response, ref, choice.alias, None if price is None else _cost(response.usage, price))


def _may_fall_back(error: ProviderError, request: ChatRequest) -> bool:
    in_time = request.deadline is None or time.monotonic() < request.deadline
    return in_time and not isinstance(error, ProviderRejected)


def _cost(usage: Usage, price: Price) -> Cost:
    uncached = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
    amount = (
        uncached * price.input
        + usage.cache_read_tokens * price.cache_read
        + usage.cache_write_tokens * price.cache_write
        + usage.output_tokens * price.output
    )
    return Cost(amount / _MILLION, price.currency)


async def _state(name: str, model: ChatModel) -> ProviderState:
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await model.ping()
    except TimeoutError:
        return ProviderState(name, answers=False, reason=f"no answer within {_PING_SECONDS:g} s")
    except ProviderError as error:
        return ProviderState(name, answers=False, reason=error.message)
    return ProviderState(name, answers=True)
