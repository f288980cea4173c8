"""Names, aliases, the fall back along an alias, and the price of an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from llmops_api.adapters.scripted.model import ScriptedChatModel, ScriptedSettings
from llmops_api.core.models import Answer, Choice, Cost, ModelRef, Models, ProviderState
from llmops_api.errors import (
    DeadlineExceeded,
    LLMOpsError,
    ProviderDenied,
    ProviderInterrupted,
    ProviderOverloaded,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    UnknownModel,
)
from llmops_api.ports.chat import ChatRequest
from llmops_api.settings import Price
from tests.contracts.chat_model import a_request, pieces_before

REQUEST = a_request("any")
Call = Callable[[Models, Choice, ChatRequest], Awaitable[Answer]]


class Muted(ScriptedChatModel):
    """Never answers a ping."""

    async def ping(self) -> None:
        await asyncio.Event().wait()


class Absent(ScriptedChatModel):
    async def ping(self) -> None:
        raise ProviderUnavailable("provider 'absent' cannot be reached", provider="absent")


@pytest.fixture
def big() -> ScriptedChatModel:
    return ScriptedChatModel(ScriptedSettings(interrupts_after=1))


@pytest.fixture
def small() -> ScriptedChatModel:
    return ScriptedChatModel()


@pytest.fixture
def models(big: ScriptedChatModel, small: ScriptedChatModel) -> Models:
    aliases = {"default": ["big:demo", "small:demo"], "brittle": ["big:interrupts", "small:demo"]}
    prices = {"big": Price(input=3, output=15, cache_read=1, currency="EUR"), "big:echo": Price(output=1)}
    return Models({"big": big, "small": small}, aliases, prices)


async def whole(models: Models, choice: Choice, request: ChatRequest) -> Answer:
    return await models.generate(choice, request)


async def streamed(models: Models, choice: Choice, request: ChatRequest) -> Answer:
    """The answer that ends a stream, once its model and its text are seen to be those that the stream told before."""
    ref, *deltas, answer = [piece async for piece in models.stream(choice, request)]
    assert isinstance(answer, Answer)
    assert answer.ref == ref
    assert answer.response.text == "".join(deltas)
    return answer


both_ways = pytest.mark.parametrize("call", [whole, streamed])


def test_a_reference_splits_at_its_first_colon():
    ref = ModelRef.parse("bedrock:anthropic.claude:0")

    assert (ref.provider, ref.name, str(ref)) == ("bedrock", "anthropic.claude:0", "bedrock:anthropic.claude:0")


@pytest.mark.parametrize("text", ["", "scripted", ":demo", "scripted:"])
def test_what_is_no_reference_is_an_unknown_model(text: str):
    with pytest.raises(UnknownModel):
        ModelRef.parse(text)


def test_a_name_is_an_alias_or_a_model_of_an_open_provider(models: Models):
    big, small = ModelRef("big", "demo"), ModelRef("small", "demo")

    assert models.resolve(None) == models.resolve("default") == Choice("default", (big, small))
    assert models.resolve("small:demo") == Choice(None, (small,))


@pytest.mark.parametrize("name", ["", "gpt", "closed:demo", "big:", ":"])
def test_an_unknown_name_is_told_the_field_and_the_choice(models: Models, name: str):
    with pytest.raises(UnknownModel) as caught:
        models.resolve(name)

    [wrong] = caught.value.errors
    assert wrong.field == "/model"
    assert wrong.hint == "Aliases: default, brittle. Providers: big, small."


@pytest.mark.parametrize(
    ("wanted", "usual", "chosen"),
    [
        pytest.param("small:demo", "brittle", "small:demo", id="the request's"),
        pytest.param("small:demo", "closed:demo", "small:demo", id="the request's, whatever the world's is"),
        pytest.param(None, "brittle", "brittle", id="the world's"),
        pytest.param(None, None, "default", id="nobody's"),
        pytest.param(None, "closed:demo", "default", id="one that is not open"),
    ],
)
def test_a_request_chooses_then_its_world_then_the_default(
    models: Models, wanted: str | None, usual: str | None, chosen: str
):
    assert models.choose(wanted, usual) == models.resolve(chosen)


def test_an_unknown_model_of_a_request_is_refused(models: Models):
    with pytest.raises(UnknownModel):
        models.choose("closed:demo", "brittle")


@pytest.mark.parametrize("refs", [[], ["closed:demo"], ["small:demo", "closed:demo"]])
def test_an_alias_must_point_to_what_is_open(small: ScriptedChatModel, refs: list[str]):
    with pytest.raises(UnknownModel, match="'broken'"):
        Models({"small": small}, {"broken": refs}, {})


@both_ways
async def test_the_first_model_of_an_alias_answers(models: Models, big: ScriptedChatModel, call: Call):
    big.queue("Big.")

    answer = await call(models, models.resolve(None), REQUEST)

    assert (answer.response.text, answer.ref, answer.alias) == ("Big.", ModelRef("big", "demo"), "default")
    assert big.requests[0] == replace(REQUEST, model="demo")


@both_ways
@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("", provider="big"),
        ProviderThrottled("", provider="big"),
        ProviderOverloaded("", provider="big"),
        ProviderDenied("", provider="big"),
    ],
)
async def test_the_next_model_answers_when_a_provider_fails(
    models: Models, big: ScriptedChatModel, small: ScriptedChatModel, call: Call, error: LLMOpsError
):
    big.queue(error)
    small.queue("Small.")

    answer = await call(models, models.resolve(None), REQUEST)

    assert (answer.response.text, answer.ref, answer.alias) == ("Small.", ModelRef("small", "demo"), "default")


@both_ways
@pytest.mark.parametrize("error", [ProviderRejected("", provider="big"), DeadlineExceeded("")])
async def test_no_other_model_is_asked_when_it_could_not_help(
    models: Models, big: ScriptedChatModel, small: ScriptedChatModel, call: Call, error: LLMOpsError
):
    big.queue(error)

    with pytest.raises(type(error)):
        await call(models, models.resolve(None), REQUEST)
    assert not small.requests


@both_ways
async def test_past_the_deadline_no_other_model_is_asked(
    models: Models, big: ScriptedChatModel, small: ScriptedChatModel, call: Call
):
    big.queue(ProviderUnavailable("", provider="big"))

    with pytest.raises(ProviderUnavailable):
        await call(models, models.resolve(None), replace(REQUEST, deadline=time.monotonic() - 1))
    assert not small.requests


@both_ways
async def test_when_all_fail_the_last_error_stands(
    models: Models, big: ScriptedChatModel, small: ScriptedChatModel, call: Call
):
    big.queue(ProviderUnavailable("", provider="big"))
    small.queue(ProviderThrottled("", provider="small"))

    with pytest.raises(ProviderThrottled):
        await call(models, models.resolve(None), REQUEST)


async def test_a_stream_that_has_begun_is_not_begun_by_another_model(models: Models, small: ScriptedChatModel):
    pieces = await pieces_before(ProviderInterrupted, models.stream(models.resolve("brittle"), REQUEST))

    assert pieces == [ModelRef("big", "interrupts"), "This "]
    assert not small.requests


async def test_a_stream_may_be_left_before_its_end(models: Models):
    async with aclosing(models.stream(models.resolve(None), REQUEST)) as pieces:
        assert await anext(pieces) == ModelRef("big", "demo")
        assert await anext(pieces) == "This "


@both_ways
async def test_a_price_is_for_a_model_or_for_all_of_its_provider(models: Models, big: ScriptedChatModel, call: Call):
    request = a_request("any", "one two three")
    big.queue("a b", "a b")
    inputs = 7

    by_provider = await call(models, models.resolve("big:demo"), request)
    by_name = await call(models, models.resolve("big:echo"), request)
    without = await call(models, models.resolve("small:demo"), request)

    assert by_provider.cost == Cost((inputs * 3 + 2 * 15) / 1e6, "EUR")
    assert by_name.cost == Cost(2 / 1e6, "USD")
    assert without.cost is None


async def test_every_provider_is_asked_whether_it_answers(small: ScriptedChatModel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("llmops_api.core.models._PING_SECONDS", 0.02)
    models = Models({"small": small, "muted": Muted(), "absent": Absent()}, {}, {})

    assert await models.list() == (
        ProviderState("small", answers=True),
        ProviderState("muted", answers=False, reason="no answer within 0.02 s"),
        ProviderState("absent", answers=False, reason="provider 'absent' cannot be reached"),
    )
