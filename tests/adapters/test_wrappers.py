"""The manners around a model, each alone and all together."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from llmops_api.adapters.scripted.model import ScriptedChatModel, ScriptedSettings
from llmops_api.adapters.wrappers.chat import Limited, Limits, Measured, Retrying, WithDeadline, wrapped
from llmops_api.errors import (
    DeadlineExceeded,
    LLMOpsError,
    ProviderError,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
)
from llmops_api.ports.chat import ChatModel, ChatRequest
from llmops_api.telemetry import REGISTRY
from tests.contracts.chat_model import ChatModelContract, a_request, chunks_of

Call = Callable[[ChatModel, ChatRequest], Awaitable[str]]


async def whole(model: ChatModel, request: ChatRequest) -> str:
    return (await model.generate(request)).text


async def streamed(model: ChatModel, request: ChatRequest) -> str:
    return "".join(chunk.text for chunk in await chunks_of(model, request))


both_ways = pytest.mark.parametrize("call", [whole, streamed])


@pytest.fixture
def scripted() -> ScriptedChatModel:
    return ScriptedChatModel(ScriptedSettings(slow_seconds=3600, interrupts_after=2))


def unavailable() -> ProviderUnavailable:
    return ProviderUnavailable("not there", provider="p")


def due_in(seconds: float, model: str = "demo") -> ChatRequest:
    return replace(a_request(model), deadline=time.monotonic() + seconds)


class TestWrapped(ChatModelContract):
    """All manners together change nothing of what a model must do."""

    answering = "demo"
    slow = "slow"

    @pytest.fixture
    def model(self, scripted: ScriptedChatModel) -> ChatModel:
        return wrapped(scripted, name="p", limits=Limits())


class TestRetrying:
    @pytest.fixture
    def waits(self) -> list[float]:
        return []

    @pytest.fixture
    def model(self, scripted: ScriptedChatModel, waits: list[float]) -> ChatModel:
        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        return Retrying(scripted, attempts=3, sleep=sleep, jitter=lambda: 0.5)

    @both_ways
    async def test_what_may_pass_is_tried_again_after_a_time_that_doubles(
        self, model: ChatModel, scripted: ScriptedChatModel, waits: list[float], call: Call
    ):
        scripted.queue(unavailable(), unavailable(), "At last.")

        assert await call(model, a_request("demo")) == "At last."
        assert waits == [0.05, 0.1]

    @both_ways
    async def test_the_last_attempts_failure_stands(self, model: ChatModel, scripted: ScriptedChatModel, call: Call):
        scripted.queue(*(unavailable() for _ in range(3)), "Too late.")

        with pytest.raises(ProviderUnavailable):
            await call(model, a_request("demo"))

    @both_ways
    async def test_what_will_not_pass_is_not_tried_again(
        self, model: ChatModel, scripted: ScriptedChatModel, call: Call
    ):
        scripted.queue(ProviderRejected("no", provider="p"))

        with pytest.raises(ProviderRejected):
            await call(model, a_request("demo"))
        assert len(scripted.requests) == 1

    @both_ways
    @pytest.mark.parametrize(
        "error",
        [
            ProviderThrottled("slow down", provider="p", retry_after=2.0),
            ProviderUnavailable("not ready", provider="p", retry_after=2.0),
        ],
    )
    async def test_it_waits_for_what_retry_after_asks(
        self, model: ChatModel, scripted: ScriptedChatModel, waits: list[float], call: Call, error: ProviderError
    ):
        scripted.queue(error, "Rested.")

        assert await call(model, a_request("demo")) == "Rested."
        assert waits == [2.05]

    async def test_a_retry_after_that_is_too_long_is_not_waited_for(
        self, model: ChatModel, scripted: ScriptedChatModel, waits: list[float]
    ):
        scripted.queue(ProviderThrottled("slow down", provider="p", retry_after=60.0))

        with pytest.raises(ProviderThrottled):
            await model.generate(a_request("demo"))
        assert not waits

    @both_ways
    async def test_it_never_waits_past_the_deadline(
        self, model: ChatModel, scripted: ScriptedChatModel, waits: list[float], call: Call
    ):
        scripted.queue(ProviderThrottled("slow down", provider="p", retry_after=4.0))

        with pytest.raises(ProviderThrottled):
            await call(model, due_in(2.0))
        assert not waits

    async def test_a_stream_that_has_begun_is_not_begun_again(self, model: ChatModel, scripted: ScriptedChatModel):
        with pytest.raises(ProviderInterrupted):
            await chunks_of(model, a_request("interrupts"))
        assert len(scripted.requests) == 1


class TestWithDeadline:
    @pytest.fixture
    def model(self, scripted: ScriptedChatModel) -> ChatModel:
        return WithDeadline(scripted, name="p", timeout=3600)

    @both_ways
    async def test_the_callers_deadline_ends_the_call(self, model: ChatModel, call: Call):
        with pytest.raises(DeadlineExceeded):
            await call(model, due_in(0.02, "slow"))

    @both_ways
    async def test_past_the_deadline_no_call_is_made(self, model: ChatModel, scripted: ScriptedChatModel, call: Call):
        with pytest.raises(DeadlineExceeded):
            await call(model, due_in(-1))
        assert not scripted.requests

    @both_ways
    async def test_a_silent_provider_is_a_timeout(self, scripted: ScriptedChatModel, call: Call):
        with pytest.raises(ProviderTimeout, match=r"'p'.*0\.02 s"):
            await call(WithDeadline(scripted, name="p", timeout=0.02), due_in(60, "slow"))

    async def test_the_deadline_stops_a_stream_that_has_begun(self, model: ChatModel, scripted: ScriptedChatModel):
        scripted.queue("one two three")

        async with aclosing(model.stream(due_in(0.05))) as chunks:
            assert (await anext(chunks)).text == "one "
            await asyncio.sleep(0.06)
            with pytest.raises(DeadlineExceeded):
                await anext(chunks)


class TestLimited:
    @pytest.fixture
    def model(self, scripted: ScriptedChatModel) -> Limited:
        return Limited(scripted, name="p", concurrency=1, queue=1)

    @pytest.fixture
    async def occupied(self, model: Limited) -> asyncio.Task[str]:
        """A call that holds the only place."""
        task = asyncio.create_task(whole(model, a_request("slow")))
        await asyncio.sleep(0)
        return task

    @both_ways
    async def test_the_queue_is_bounded(self, model: Limited, occupied: asyncio.Task[str], call: Call):
        waiting = asyncio.create_task(call(model, a_request("demo")))
        await asyncio.sleep(0)

        with pytest.raises(ProviderOverloaded):
            await call(model, due_in(5))
        occupied.cancel()
        assert await waiting

    @both_ways
    async def test_a_place_in_the_queue_is_free_again_when_its_caller_goes(
        self, model: Limited, occupied: asyncio.Task[str], call: Call
    ):
        for _ in range(3):
            waiting = asyncio.create_task(call(model, a_request("demo")))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        occupied.cancel()
        assert await call(model, a_request("demo"))

    @both_ways
    async def test_waiting_ends_with_the_deadline(self, model: Limited, occupied: asyncio.Task[str], call: Call):
        with pytest.raises(DeadlineExceeded):
            await call(model, due_in(0.02))
        occupied.cancel()

    async def test_a_stream_holds_its_place_until_it_is_left(self, model: Limited):
        async with aclosing(model.stream(a_request("demo"))) as chunks:
            await anext(chunks)
            with pytest.raises(DeadlineExceeded):
                await model.generate(due_in(0.02))

        assert await whole(model, a_request("demo"))

    @both_ways
    async def test_a_failed_call_frees_its_place(self, model: Limited, call: Call):
        for _ in range(3):
            with pytest.raises(ProviderUnavailable):
                await call(model, a_request("fails"))

    async def test_a_ping_does_not_wait(self, model: Limited, occupied: asyncio.Task[str]):
        await model.ping()
        occupied.cancel()


class TestMeasured:
    @pytest.fixture
    def name(self) -> Iterator[str]:
        TestMeasured.providers += 1
        return f"provider-{TestMeasured.providers}"

    providers = 0

    @pytest.fixture
    def model(self, scripted: ScriptedChatModel, name: str) -> ChatModel:
        return Measured(scripted, name=name)

    @staticmethod
    def sample(metric: str, name: str, model: str = "demo", **labels: str) -> float | None:
        chat = {
            "gen_ai_operation_name": "chat",
            "gen_ai_provider_name": name,
            "gen_ai_request_model": model,
        }
        return REGISTRY.get_sample_value(metric, {**chat, **labels})

    @both_ways
    async def test_a_good_call_counts_its_time_and_its_tokens(
        self, model: ChatModel, scripted: ScriptedChatModel, name: str, call: Call
    ):
        scripted.queue("one two three")

        await call(model, a_request("demo", "a b"))

        assert self.sample("gen_ai_client_operation_duration_seconds_count", name, error_type="") == 1
        assert self.sample("gen_ai_client_token_usage_sum", name, gen_ai_token_type="input") == 6
        assert self.sample("gen_ai_client_token_usage_sum", name, gen_ai_token_type="output") == 3

    async def test_only_a_stream_has_a_first_chunk(self, model: ChatModel, name: str):
        metric = "gen_ai_client_operation_time_to_first_chunk_seconds_count"

        await model.generate(a_request("demo"))
        assert self.sample(metric, name) is None

        await chunks_of(model, a_request("demo"))
        assert self.sample(metric, name) == 1

    @both_ways
    async def test_a_failure_counts_under_its_code(self, model: ChatModel, name: str, call: Call):
        with pytest.raises(LLMOpsError):
            await call(model, a_request("fails"))

        count = self.sample(
            "gen_ai_client_operation_duration_seconds_count", name, "fails", error_type="provider_unavailable"
        )
        assert count == 1

    @both_ways
    async def test_a_call_that_its_caller_left_counts_as_cancelled(self, model: ChatModel, name: str, call: Call):
        calling = asyncio.create_task(call(model, a_request("slow")))
        await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait({calling})

        assert self.sample("gen_ai_client_operation_duration_seconds_count", name, "slow", error_type="cancelled") == 1

    async def test_a_fault_of_our_own_counts_under_its_name(
        self, model: ChatModel, scripted: ScriptedChatModel, name: str
    ):
        scripted.queue(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await model.generate(a_request("demo"))

        count = self.sample("gen_ai_client_operation_duration_seconds_count", name, error_type="ZeroDivisionError")
        assert count == 1

    async def test_names_that_callers_make_up_do_not_become_labels_without_end(self, model: ChatModel, name: str):
        for number in range(150):
            with pytest.raises(ProviderRejected):
                await model.generate(a_request(f"made-up-{number}"))

        count = self.sample(
            "gen_ai_client_operation_duration_seconds_count", name, "_OTHER", error_type="provider_rejected"
        )
        assert count == 50


async def test_a_call_that_waits_to_be_tried_again_holds_no_place(scripted: ScriptedChatModel):
    model = wrapped(scripted, name="p", limits=Limits(concurrency=1, queue=0))
    scripted.queue(ProviderThrottled("slow down", provider="p", retry_after=0.1), "Mine.", "Yours.")

    first = asyncio.create_task(whole(model, a_request("demo")))
    await asyncio.sleep(0.01)

    assert await whole(model, a_request("demo")) == "Mine."
    assert await first == "Yours."


async def test_each_try_has_its_own_timeout(scripted: ScriptedChatModel):
    model = wrapped(scripted, name="p", limits=Limits(attempts=2, timeout=0.02))

    with pytest.raises(ProviderTimeout):
        await model.generate(a_request("slow"))
    assert len(scripted.requests) == 2
