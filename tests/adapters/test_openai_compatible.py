"""OpenAI-compatible servers, spoken to over real HTTP: one that we did not write, and one that misbehaves on cue."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest
from pydantic import SecretStr

from llmops_api.adapters.openai_compatible import http as provider_http
from llmops_api.adapters.openai_compatible.events import EventDecoder
from llmops_api.adapters.openai_compatible.model import open_chat_model, open_embedder
from llmops_api.errors import (
    BadInput,
    ModelNotServed,
    ProviderDenied,
    ProviderError,
    ProviderGarbled,
    ProviderInterrupted,
    ProviderRejected,
    ProviderThrottled,
    ProviderTimeout,
    ProviderUnavailable,
)
from llmops_api.ports.chat import ChatModel, ChatResponse, FinishReason, Parameters, Usage
from llmops_api.ports.embedding import Embedder, InputType
from tests.contracts.chat_model import ChatModelContract, a_request, chunks_of
from tests.upstreams.asgi_upstream import TEXT
from tests.upstreams.servers import OwnUpstream, Server


class TestAgainstAimock(ChatModelContract):
    answering = "demo"
    slow = "slow"

    @pytest.fixture
    async def model(self, aimock: Server) -> AsyncIterator[ChatModel]:
        async with open_chat_model(name="aimock", base_url=aimock.base_url) as model:
            yield model

    async def test_throttling_and_cuts_are_told_apart(self, model: ChatModel):
        with pytest.raises(ProviderThrottled) as throttled:
            await model.generate(a_request("throttled"))
        with pytest.raises(ProviderInterrupted):
            await chunks_of(model, a_request("cut"))

        assert throttled.value.retry_after == 1


@pytest.fixture
async def model(own_upstream: OwnUpstream) -> AsyncIterator[ChatModel]:
    async with open_chat_model(
        name="own", base_url=f"{own_upstream.base_url}/", api_key=SecretStr("a-secret-key")
    ) as model:
        yield model


class TestAgainstOurOwn(ChatModelContract):
    answering = "normal"
    slow = "hanging"

    @pytest.fixture
    def model(self, model: ChatModel) -> ChatModel:
        return model


async def failure_of(model: ChatModel, name: str, *, streamed: bool) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await (chunks_of(model, a_request(name)) if streamed else model.generate(a_request(name)))
    return caught.value


REFUSED = {
    "rejected": ProviderRejected,
    "denied": ProviderDenied,
    "forbidden": ProviderDenied,
    "missing": ModelNotServed,
    "throttled": ProviderThrottled,
    "failing": ProviderUnavailable,
    "bad-gateway": ProviderUnavailable,
    "unready": ProviderUnavailable,
    "late": ProviderTimeout,
    "moved": ProviderRejected,
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("name", "expected"), REFUSED.items())
async def test_each_refusal_has_its_error(model: ChatModel, name: str, expected: type[ProviderError], streamed: bool):
    error = await failure_of(model, name, streamed=streamed)

    assert type(error) is expected
    assert error.provider == "own"


BROKEN = {
    "garbage": ProviderGarbled,
    "truncated": ProviderGarbled,
    "empty": ProviderGarbled,
    "no-choices": ProviderGarbled,
    "null-choices": ProviderGarbled,
    "odd-content": ProviderGarbled,
    "no-finish": ProviderInterrupted,
    "error-in-body": ProviderUnavailable,
    "cut": ProviderInterrupted,
}


@pytest.mark.parametrize(("name", "expected"), BROKEN.items())
async def test_each_broken_answer_has_its_error(model: ChatModel, name: str, expected: type[ProviderError]):
    assert type(await failure_of(model, name, streamed=False)) is expected


@pytest.mark.parametrize("number", range(5))
async def test_an_answer_is_kept_whatever_its_server_says_of_its_length(model: ChatModel, number: int):
    """Nor does a word of its own for an ordinary end matter."""
    response = await model.generate(a_request(f"odd-usage-{number}"))

    assert (response.text, response.finish_reason) == ("At nine.", FinishReason.STOP)
    assert (response.usage.input_tokens, response.usage.output_tokens) in {(0, 0), (0, 1)}


BROKEN_STREAMS = {
    "garbage": ProviderGarbled,
    "no-finish": ProviderInterrupted,
    "error-in-stream": ProviderThrottled,
    "empty": ProviderInterrupted,
    "cut": ProviderInterrupted,
}


@pytest.mark.parametrize(("name", "expected"), BROKEN_STREAMS.items())
async def test_each_broken_stream_has_its_error(model: ChatModel, name: str, expected: type[ProviderError]):
    assert type(await failure_of(model, name, streamed=True)) is expected


@pytest.mark.parametrize("name", ["rejected", "throttled", "garbage", "error-in-body", "odd-content", "truncated"])
async def test_nothing_that_the_provider_wrote_enters_our_message(model: ChatModel, name: str):
    error = await failure_of(model, name, streamed=False)

    told = f"{error} {error.extra} {error.__cause__}"
    assert not [word for word in ("secret prompt", "such thing", "The g", "a-secret-key") if word in told]


async def test_retry_after_is_read_as_seconds_and_as_a_date(model: ChatModel):
    errors = [
        await failure_of(model, name, streamed=False)
        for name in ("throttled", "throttled-until", "throttled-somewhen", "throttled-silently", "unready")
    ]

    assert [getattr(error, "retry_after", error.extra.get("retry_after")) for error in errors] == [7, 0, None, None, 1]


async def test_a_stream_cut_anywhere_even_inside_a_character_is_read_whole(model: ChatModel):
    chunks = await chunks_of(model, a_request("bytewise"))

    assert "".join(chunk.text for chunk in chunks) == TEXT
    assert chunks[-1].usage == Usage(12, 9, cache_read_tokens=4)


async def test_deltas_come_as_they_are_made(model: ChatModel, own_upstream: OwnUpstream):
    async with aclosing(model.stream(a_request("silent-after-first"))) as chunks:
        assert (await anext(chunks)).text == "The "


@pytest.mark.parametrize("name", ["normal", "lingering"])
async def test_a_stream_read_to_its_end_leaves_its_connection_to_the_next(
    model: ChatModel, own_upstream: OwnUpstream, name: str
):
    for _ in range(3):
        await chunks_of(model, a_request(name))

    assert own_upstream.get("/stats")["connections"] == 1


async def test_half_a_character_is_bad_input_and_never_sent(model: ChatModel, own_upstream: OwnUpstream):
    with pytest.raises(BadInput):
        await model.generate(a_request("normal", "half of \ud83d"))

    assert own_upstream.calls("normal") == 0


async def test_a_refusal_is_a_filtered_answer(model: ChatModel):
    response = await model.generate(a_request("refusing"))

    assert response == ChatResponse("I cannot.", FinishReason.CONTENT_FILTER, Usage())


async def test_the_request_speaks_the_fields_names(model: ChatModel):
    parameters = Parameters(temperature=0.5, top_p=0.9, max_tokens=64, stop_sequences=("END",), seed=7)

    response = await model.generate(replace(a_request("parrot"), parameters=parameters))

    assert json.loads(response.text) == {
        "model": "parrot",
        "messages": [
            {"role": "system", "content": "You keep the gate."},
            {"role": "user", "content": "When does the gate close?"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 64,
        "stop": ["END"],
        "seed": 7,
    }


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_the_caller_ends_the_call_upstream(
    model: ChatModel, own_upstream: OwnUpstream, streamed: bool
):
    request = a_request("hanging")
    calling = asyncio.create_task(chunks_of(model, request) if streamed else model.generate(request))
    await asyncio.to_thread(own_upstream.until, open=1)

    calling.cancel()

    await asyncio.to_thread(own_upstream.until, open=0, cancelled=1)
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_leaving_a_stream_early_ends_the_call_upstream(model: ChatModel, own_upstream: OwnUpstream):
    async with aclosing(model.stream(a_request("silent-after-first"))) as chunks:
        await anext(chunks)

    await asyncio.to_thread(own_upstream.until, open=0, cancelled=1)


async def test_an_answer_without_end_is_given_up(model: ChatModel, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provider_http, "MAX_ANSWER_BYTES", 100)

    assert type(await failure_of(model, "normal", streamed=False)) is ProviderGarbled
    assert type(await failure_of(model, "normal", streamed=True)) is ProviderGarbled


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_a_server_that_is_not_there_is_unavailable(deaf_port: int):
    async with open_chat_model(name="nobody", base_url=f"http://127.0.0.1:{deaf_port}/v1") as model:
        assert type(await failure_of(model, "any", streamed=False)) is ProviderUnavailable
        assert type(await failure_of(model, "any", streamed=True)) is ProviderUnavailable
        with pytest.raises(ProviderUnavailable):
            await model.ping()


@pytest.mark.parametrize(
    ("answer", "expected"), [(b"SSH-2.0-OpenSSH_9.6\r\n", ProviderGarbled), (b"", ProviderUnavailable)]
)
async def test_a_server_of_another_kind_is_told_apart(answer: bytes, expected: type[ProviderError]):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_chat_model(name="other", base_url=f"http://127.0.0.1:{port}/v1") as model:
            assert type(await failure_of(model, "any", streamed=False)) is expected


async def test_a_server_that_falls_silent_is_a_timeout(own_upstream: OwnUpstream, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provider_http, "_SILENCE_SECONDS", 0.05)

    async with open_chat_model(name="own", base_url=own_upstream.base_url) as model:
        assert type(await failure_of(model, "hanging", streamed=False)) is ProviderTimeout
        assert type(await failure_of(model, "silent-after-first", streamed=True)) is ProviderTimeout


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_whatever_their_line_ends_and_cuts(ends: bytes, size: int):
    lines = ["\ufeffdata: one", ": comment", "", "event: x", "data:two", "data: three", "id: 4", "", "data", "", "", ""]
    stream = ends.join(line.encode() for line in lines)
    decoder = EventDecoder()

    events = [data for start in range(0, len(stream), size) for data in decoder.feed(stream[start : start + size])]

    assert events == [b"one", b"two\nthree", b""]


def test_an_event_that_the_stream_cuts_off_is_dropped():
    assert list(EventDecoder().feed(b"data: whole\n\ndata: half\n")) == [b"whole"]


@pytest.fixture
async def embedder(own_upstream: OwnUpstream) -> AsyncIterator[Embedder]:
    async with open_embedder(name="own", base_url=own_upstream.base_url, model="lengths") as embedder:
        yield embedder


async def test_an_embedder_learns_its_dimensions_and_names_its_model(embedder: Embedder):
    assert (embedder.id, embedder.dimensions, embedder.languages) == ("own:lengths", 3, None)
    await embedder.ping()


async def test_vectors_come_in_order_with_length_one_in_calls_of_bounded_size(
    embedder: Embedder, own_upstream: OwnUpstream
):
    own_upstream.reset()
    texts = ["x" * length for length in range(1, 71)]

    vectors = await embedder.embed(texts, input_type=InputType.DOCUMENT)

    expected = np.array([[length, 3, 4] for length in range(1, 71)], dtype=np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)
    assert vectors.dtype == np.float32
    assert own_upstream.calls("lengths") == 3


async def test_no_input_gives_no_rows(embedder: Embedder):
    assert (await embedder.embed([], input_type=InputType.QUERY)).shape == (0, 3)


@pytest.mark.parametrize(("name", "dimensions"), [("short", 3), ("zero", 3), ("lengths", 4)])
async def test_vectors_that_cannot_be_right_are_garbled(own_upstream: OwnUpstream, name: str, dimensions: int):
    async with open_embedder(name="own", base_url=own_upstream.base_url, model=name, dimensions=dimensions) as embedder:
        with pytest.raises(ProviderGarbled):
            await embedder.embed(["a", "b"], input_type=InputType.QUERY)


async def test_given_its_dimensions_an_embedder_opens_without_a_call(deaf_port: int):
    url = f"http://127.0.0.1:{deaf_port}/v1"

    async with open_embedder(name="nobody", base_url=url, model="m", dimensions=8) as embedder:
        with pytest.raises(ProviderUnavailable):
            await embedder.embed(["a"], input_type=InputType.QUERY)


async def test_aimock_embeds(aimock: Server):
    async with open_embedder(name="aimock", base_url=aimock.base_url, model="text-embedding-3-small") as embedder:
        vectors = await embedder.embed(["gate", "goose", "gate"], input_type=InputType.DOCUMENT)

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[2])
