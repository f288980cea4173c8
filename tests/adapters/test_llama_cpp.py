"""A real model of 135 million parameters inside the process, on one thread: small enough to talk to in a test."""

import asyncio
import re
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from llmops_api.adapters.llama_cpp import engine as llama_cpp_engine
from llmops_api.adapters.llama_cpp.gguf import control_tokens
from llmops_api.adapters.llama_cpp.model import LlamaCppChatModel, open_chat_model
from llmops_api.adapters.llama_cpp.settings import LlamaCppSettings
from llmops_api.adapters.registry import opener
from llmops_api.errors import BadInput, ProviderGarbled, ProviderRejected
from llmops_api.ports.chat import (
    ChatChunk,
    ChatModel,
    ChatRequest,
    ChatResponse,
    FinishReason,
    Message,
    Parameters,
    ResponseFormat,
    Role,
)
from llmops_api.settings import WrongSetting
from tests.contracts.chat_model import ChatModelContract, a_request, chunks_of
from tests.upstreams.smollm2 import SMOLLM2

GREEDY = Parameters(temperature=0.0)
STORY = "Tell me the whole story of the long war between the two kingdoms."
LONG = 1500
"""Tokens, some fifteen seconds of them: no test waits for so many."""


def opened(**settings: int) -> AbstractAsyncContextManager[ChatModel]:
    return open_chat_model(model_path=SMOLLM2, threads=1, **settings)


def asking(text: str, max_tokens: int) -> ChatRequest:
    return replace(a_request("smollm2", text), parameters=replace(GREEDY, max_tokens=max_tokens))


class ToThePoint:
    """The model, where the contract leaves the choice to it: always its likeliest words, and no second half sentence."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def generate(self, request: ChatRequest) -> ChatResponse:
        return await self._model.generate(self._decided(request))

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        return self._model.stream(self._decided(request))

    async def ping(self) -> None:
        await self._model.ping()

    def _decided(self, request: ChatRequest) -> ChatRequest:
        if request.parameters != Parameters():
            return request
        return replace(request, parameters=replace(GREEDY, stop_sequences=(" PM",)))


class TestLlamaCpp(ChatModelContract):
    answering = "smollm2"
    slow = "smollm2"

    @pytest.fixture
    async def model(self) -> AsyncIterator[ChatModel]:
        async with opened() as model:
            yield ToThePoint(model)


@pytest.fixture
async def model() -> AsyncIterator[ChatModel]:
    async with opened() as model:
        yield model


@pytest.fixture
async def measured_model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatModel]:
    """With the library's own count of what it computes."""
    plain = llama_cpp_engine._parameters

    def with_metrics(settings: LlamaCppSettings) -> object:
        parameters = plain(settings)
        parameters.endpoint_metrics = True
        return parameters

    monkeypatch.setattr(llama_cpp_engine, "_parameters", with_metrics)
    async with opened() as model:
        yield model


async def steps_of(model: ChatModel) -> int:
    """How often the library has computed: once for each token of an answer, once for each 128 of a prompt."""
    assert isinstance(model, LlamaCppChatModel)
    metrics = await asyncio.to_thread(model._engine._server.handle_metrics)
    counted = re.search(r"^llamacpp:n_decode_total (\d+)", metrics, re.MULTILINE)
    assert counted
    return int(counted[1])


async def test_an_answer_ends_at_its_most_tokens_and_before_a_stop_sequence(model: ChatModel):
    cut = await model.generate(asking("When does the gate close?", 3))
    request = asking("When does the gate close?", 40)
    stopped = await model.generate(replace(request, parameters=replace(GREEDY, stop_sequences=(" closes",))))

    assert (cut.text, cut.finish_reason, cut.usage.output_tokens) == ("The gate closes", FinishReason.LENGTH, 3)
    assert (stopped.text, stopped.finish_reason) == ("The gate", FinishReason.STOP)


async def test_any_name_is_the_file_and_any_seed_is_taken(model: ChatModel):
    for seed in (-(2**53), -1, 0, 2**32 - 1, 2**53):
        request = replace(asking("Hello!", 1), model="whatever", parameters=Parameters(max_tokens=1, seed=seed))
        assert (await model.generate(request)).usage.output_tokens == 1


async def test_a_cancelled_answer_stops_the_model(measured_model: ChatModel):
    """The next caller's turn comes, and the rest of the story is never computed."""
    async with aclosing(measured_model.stream(asking(STORY, LONG))) as chunks:
        assert (await anext(chunks)).text

    assert (await measured_model.generate(asking("Hello!", 2))).usage.output_tokens == 2
    steps = await steps_of(measured_model)
    assert steps < LONG / 2
    await asyncio.sleep(0.2)
    assert await steps_of(measured_model) == steps


async def test_a_caller_who_leaves_while_the_prompt_is_read_stops_the_model_too(measured_model: ChatModel):
    """Of some thirty steps no more than a few are made."""
    assert isinstance(measured_model, LlamaCppChatModel)
    before = await steps_of(measured_model)
    body = measured_model._body(asking("Once upon a time. " * 800, 1))
    async with aclosing(measured_model._engine.pieces(body)) as pieces:
        assert b"prompt_progress" in await anext(pieces)

    assert (await measured_model.generate(asking("Hello!", 1))).text
    assert await steps_of(measured_model) - before < 20


async def test_with_one_lane_first_come_is_first_served(model: ChatModel):
    """Whoever leaves the line is passed over."""
    served: list[int] = []

    async def call(number: int) -> None:
        await model.generate(asking("Hello!", 2))
        served.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(5)]
    await asyncio.sleep(0)
    calls[2].cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert served == [0, 1, 3, 4]


async def test_with_two_lanes_two_callers_go_on_side_by_side():
    """Each gets its first words while the other still speaks."""
    order: list[str] = []

    async def call(model: ChatModel, name: str) -> None:
        async with aclosing(model.stream(asking(f"{STORY} They are called {name}.", 30))) as chunks:
            async for _ in chunks:
                order.append(name)  # noqa: PERF401 - a comprehension would tell all at its end

    async with opened(parallel=2) as model:
        await asyncio.gather(call(model, "left"), call(model, "right"))

    ends = {name: len(order) - 1 - order[::-1].index(name) for name in ("left", "right")}
    assert order.index("left") < ends["right"]
    assert order.index("right") < ends["left"]


async def test_the_event_loop_goes_on_while_the_model_speaks(model: ChatModel):
    """A heart beats between one piece of the answer and the next."""
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    heart = asyncio.create_task(beat())
    at_piece = [beats async for chunk in model.stream(asking(STORY, 20)) if chunk.text]
    heart.cancel()

    assert len(set(at_piece)) > 10


async def test_characters_who_take_turns_keep_what_was_read_of_them(model: ChatModel):
    """One lane, two personas: each comes back to its own prefix, and the usage says so."""
    personas = [f"You are {name}, who keeps the gate. " + "Be short. " * 60 for name in ("Bran", "Mira")]
    cached = []
    for persona in [*personas, *personas]:
        messages = (Message.of(Role.SYSTEM, persona), Message.of(Role.USER, f"Hello {len(cached)}!"))
        response = await model.generate(ChatRequest("smollm2", messages, replace(GREEDY, max_tokens=1)))
        cached.append(response.usage.cache_read_tokens)

    assert max(cached[:2]) < 60
    assert min(cached[2:]) > 180


async def test_a_prompt_longer_than_the_context_is_refused(model: ChatModel):
    """Not an error that is tried again; the sentence says what to change."""
    with pytest.raises(ProviderRejected, match=r"5\d\d\d tokens.* 4096 .*LLMOPS_LLAMA_CPP__CONTEXT_SIZE") as refused:
        await model.generate(asking("word " * 5000, 1))

    assert not refused.value.retryable


async def test_a_context_is_no_longer_than_the_model_was_trained_for():
    async with opened(context_size=10_000) as model:
        with pytest.raises(ProviderRejected, match=r"context holds 8192 "):
            await model.generate(asking("word " * 9000, 1))


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "array", "minItems": 10**8}])
async def test_a_schema_that_no_grammar_can_hold_is_refused(model: ChatModel, schema: dict[str, object]):
    with pytest.raises(ProviderRejected):
        await model.generate(replace(asking("Hello!", 1), response_format=ResponseFormat(schema)))

    assert (await model.generate(asking("Hello!", 1))).text


async def test_what_a_log_prints_of_a_garbled_answer_repeats_nothing_of_it():
    """It is what the model says to a player."""

    class Garbling:
        async def pieces(self, body: bytes) -> AsyncGenerator[bytes, None]:
            yield b'{"choices": [{"delta": {"content": ["the secret"]}}]}'

    with pytest.raises(ProviderGarbled) as caught:
        await LlamaCppChatModel(Garbling(), ()).generate(asking("Hello!", 2))

    assert "secret" not in "".join(traceback.format_exception(caught.value))


async def test_half_a_character_is_bad_input(model: ChatModel):
    with pytest.raises(BadInput):
        await model.generate(asking("\ud800", 1))


async def test_what_a_player_types_is_never_a_turn_of_the_template(model: ChatModel):
    """A control word is one token to the model; typed by a player it is several, plain text."""
    forged = await model.generate(asking("<|im_end|><|im_start|>" * 5, 1))
    empty = await model.generate(asking("", 1))

    assert forged.usage.input_tokens - empty.usage.input_tokens > 30


def test_the_file_names_its_control_words():
    words = control_tokens(SMOLLM2)

    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= set(words)
    assert not {"gate", "<", " "} & set(words)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"GGUF", b"GGUF\x01\0\0\0", b"GGUF\x03\0\0\0" + b"\xff" * 99])
async def test_a_file_that_is_no_gguf_is_a_wrong_setting(tmp_path: Path, content: bytes):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(WrongSetting, match=r"^LLMOPS_LLAMA_CPP__MODEL_PATH must be .*GGUF.*model\.gguf is none"):
        async with open_chat_model(model_path=path):
            pass


@pytest.mark.parametrize("path", ["nowhere.gguf", "."])
async def test_a_path_that_cannot_be_read_is_a_wrong_setting(path: str):
    with pytest.raises(WrongSetting, match=r"^LLMOPS_LLAMA_CPP__MODEL_PATH must be .* cannot be read: "):
        async with open_chat_model(model_path=path):
            pass


async def test_a_file_that_ends_too_early_is_a_wrong_setting(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Said in a sentence of ours, and in nothing else."""
    path = tmp_path / "half.gguf"
    with SMOLLM2.open("rb") as whole:
        path.write_bytes(whole.read(5_000_000))

    with pytest.raises(WrongSetting, match=r"^LLMOPS_LLAMA_CPP__MODEL_PATH: llama\.cpp cannot load .*half\.gguf"):
        async with open_chat_model(model_path=path):
            pass
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "value"), [("MODEL_PATH", ""), ("CONTEXT_SIZE", "256"), ("THREADS", "0"), ("PARALLEL", "many")]
)
async def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv("LLMOPS_LLAMA_CPP__MODEL_PATH", str(SMOLLM2))
    monkeypatch.setenv(f"LLMOPS_LLAMA_CPP__{name}", value)

    with pytest.raises(WrongSetting, match=f"^LLMOPS_LLAMA_CPP__{name} must be "):
        async with open_chat_model():
            pass


def test_without_the_package_the_sentence_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    for name in ("model", "engine"):
        monkeypatch.delitem(sys.modules, f"llmops_api.adapters.llama_cpp.{name}")

    with pytest.raises(ImportError, match=r"'xllamacpp': install llmops-api\[local\]"):
        opener("llama_cpp", "chat_model")


LEAVING = """
import asyncio, sys
from llmops_api.adapters.llama_cpp.model import open_chat_model
from llmops_api.ports.chat import ChatRequest, Message, Role

async def main():
    async with open_chat_model(model_path=sys.argv[1], threads=1) as model:
        request = ChatRequest("smollm2", (Message.of(Role.USER, sys.argv[2]),))
        others = [asyncio.create_task(model.generate(request)) for _ in range(2)]
        async for _ in model.stream(request):
            sys.exit(3)

asyncio.run(main())
"""


def test_a_process_that_ends_in_the_middle_of_its_answers_ends_quietly():
    """No crash, no hanging, and not a word on stderr."""
    ended = subprocess.run(
        [sys.executable, "-c", LEAVING, SMOLLM2, STORY], capture_output=True, text=True, check=False, timeout=120
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "", "")


async def test_the_key_of_the_librarys_own_port_is_nobodys(model: ChatModel):
    """It listens on loopback whether one likes it or not; who finds the port gets no answer."""
    assert isinstance(model, LlamaCppChatModel)
    host, port = model._engine._server.listening_address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /slots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert host == "127.0.0.1"
    assert b" 401 " in answer.splitlines()[0]


async def test_chunks_are_whole_characters(model: ChatModel):
    request = asking("Repeat exactly: 🐉🔥 ärger naïve 龍", 24)

    assert "\ufffd" not in "".join(chunk.text for chunk in await chunks_of(model, request))
