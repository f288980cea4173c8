"""Manners around a provider's models, one a class: each is a `ChatModel` that wraps another.

`wrapped` puts them in their order. From the outside in: `Retrying` tries again, each try waits its turn in `Limited`,
is timed by `Measured` and held to its time by `WithDeadline`. Whoever waits to try again holds no place.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from llmops_api.errors import (
    DeadlineExceeded,
    LLMOpsError,
    ProviderError,
    ProviderOverloaded,
    ProviderTimeout,
)
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, Usage
from llmops_api.telemetry import OPERATION_DURATION, TIME_TO_FIRST_CHUNK, TOKEN_USAGE, labelled

Result = TypeVar("Result")

_FIRST_BACK_OFF = 0.1
_LONGEST_WAIT = 5.0
_MAX_MODEL_LABELS = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """`concurrency` calls of a provider at a time, `queue` more that wait; a call is tried `attempts` times.

    `timeout`, in seconds, is for a whole answer, or for the next piece of a streamed one.
    """

    concurrency: int = 64
    queue: int = 256
    attempts: int = 3
    timeout: float = 60.0


def wrapped(model: ChatModel, *, name: str, limits: Limits) -> ChatModel:
    """`model` with all manners; `name` is its provider's, in errors and metrics."""
    measured = Measured(WithDeadline(model, name=name, timeout=limits.timeout), name=name)
    limited = Limited(measured, name=name, concurrency=limits.concurrency, queue=limits.queue)
    return Retrying(limited, attempts=limits.attempts)


class WithDeadline:
    """Ends a call, or the wait for a stream's next piece, that takes too long.

    Past the request's deadline that is a `DeadlineExceeded`: nobody waits for the answer any more. Past `timeout`
    seconds it is a `ProviderTimeout`, which may be tried again, here or with another model.
    """

    def __init__(self, model: ChatModel, *, name: str, timeout: float) -> None:
        self._model = model
        self._name = name
        self._timeout = timeout

    async def generate(self, request: ChatRequest) -> ChatResponse:
        return await self._in_time(partial(self._model.generate, request), request.deadline)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        async with aclosing(self._model.stream(request)) as chunks:
            following = partial(anext, chunks, None)
            while (chunk := await self._in_time(following, request.deadline)) is not None:
                yield chunk

    async def ping(self) -> None:
        await self._in_time(self._model.ping, None)

    async def _in_time(self, call: Callable[[], Awaitable[Result]], deadline: float | None) -> Result:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise _too_late()
        try:
            async with asyncio.timeout(self._timeout if left is None else min(left, self._timeout)):
                return await call()
        except TimeoutError as error:
            if left is not None and left <= self._timeout:
                raise _too_late() from error
            raise ProviderTimeout(
                f"provider '{self._name}' did not answer within {self._timeout:g} s", provider=self._name
            ) from error


class Limited:
    """At most `concurrency` calls at a time and `queue` more that wait; the next one is a `ProviderOverloaded`."""

    def __init__(self, model: ChatModel, *, name: str, concurrency: int, queue: int) -> None:
        self._model = model
        self._name = name
        self._places = asyncio.Semaphore(concurrency)
        self._queue = queue
        self._waiting = 0

    async def generate(self, request: ChatRequest) -> ChatResponse:
        await self._enter(request.deadline)
        try:
            return await self._model.generate(request)
        finally:
            self._places.release()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        await self._enter(request.deadline)
        try:
            async with aclosing(self._model.stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self._places.release()

    async def ping(self) -> None:
        await self._model.ping()

    async def _enter(self, deadline: float | None) -> None:
        if self._places.locked():
            await self._wait(deadline)
        else:
            await self._places.acquire()

    async def _wait(self, deadline: float | None) -> None:
        if self._waiting >= self._queue:
            raise ProviderOverloaded(f"too many calls wait for provider '{self._name}'", provider=self._name)
        self._waiting += 1
        try:
            async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
                await self._places.acquire()
        except TimeoutError as error:
            raise _too_late() from error
        finally:
            self._waiting -= 1


class Measured:
    """Counts and times each call. Its labels are the provider, the model and how it ended, never who asked."""

    def __init__(self, model: ChatModel, *, name: str) -> None:
        self._model = model
        self._name = name
        self._models: set[str] = set()

    async def generate(self, request: ChatRequest) -> ChatResponse:
        labels = self._labels(request.model)
        with timed(labels):
            response = await self._model.generate(request)
        _count_tokens(labels, response.usage)
        return response

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        labels = self._labels(request.model)
        started: float | None = time.perf_counter()
        with timed(labels):
            async with aclosing(self._model.stream(request)) as chunks:
                async for chunk in chunks:
                    if started is not None and chunk.text:
                        labelled(TIME_TO_FIRST_CHUNK, *labels).observe(time.perf_counter() - started)
                        started = None
                    if chunk.usage is not None:
                        _count_tokens(labels, chunk.usage)
                    yield chunk

    async def ping(self) -> None:
        await self._model.ping()

    def _labels(self, model: str) -> tuple[str, str, str]:
        """Callers name models as they like, so only the first hundred names become labels of their own."""
        if len(self._models) < _MAX_MODEL_LABELS:
            self._models.add(model)
        return "chat", self._name, model if model in self._models else "_OTHER"


class Retrying:
    """Tries a call again after a failure that may pass, a stream only while it has given nothing.

    It waits a random part of a time that doubles, or what `Retry-After` asks for and a little more; when that is
    longer than five seconds or reaches past the request's deadline, the failure stands.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        attempts: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._model = model
        self._attempts = attempts
        self._sleep = sleep
        self._jitter = jitter

    async def generate(self, request: ChatRequest) -> ChatResponse:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._model.generate(request)
            except ProviderError as error:
                wait = self._wait(error, tries, request.deadline)
                if wait is None:
                    raise
            await self._sleep(wait)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        tries = 0
        while True:
            tries += 1
            begun = False
            try:
                async with aclosing(self._model.stream(request)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except ProviderError as error:
                wait = None if begun else self._wait(error, tries, request.deadline)
                if wait is None:
                    raise
            else:
                return
            await self._sleep(wait)

    async def ping(self) -> None:
        await self._model.ping()

    def _wait(self, error: ProviderError, tries: int, deadline: float | None) -> float | None:
        return None if tries >= self._attempts else pause(error, tries, deadline, self._jitter())


def pause(error: ProviderError, tries: int, deadline: float | None, jitter: float) -> float | None:
    """Seconds until the next try after `tries`; None when there shall be none. `jitter` is from 0 to 1."""
    if not error.retryable:
        return None
    asked: float | None = getattr(error, "retry_after", error.extra.get("retry_after"))
    wait = (asked or 0.0) + jitter * _FIRST_BACK_OFF * 2.0 ** (tries - 1)
    if wait > _LONGEST_WAIT or (deadline is not None and time.monotonic() + wait >= deadline):
        return None
    return wait


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed before the model had answered")


@contextmanager
def timed(labels: tuple[str, str, str]) -> Iterator[None]:
    started = time.perf_counter()
    error_type = ""
    try:
        yield
    except LLMOpsError as error:
        error_type = error.code
        raise
    except (asyncio.CancelledError, GeneratorExit):
        error_type = "cancelled"
        raise
    except BaseException as error:
        error_type = type(error).__name__
        raise
    finally:
        labelled(OPERATION_DURATION, *labels, error_type).observe(time.perf_counter() - started)


def _count_tokens(labels: tuple[str, str, str], usage: Usage) -> None:
    for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
        if tokens:
            labelled(TOKEN_USAGE, *labels, kind).observe(tokens)
