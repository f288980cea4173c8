"""What every provider's chat model must do. A test class inherits this and supplies `model`."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from llmops_api.ports.chat import (
    ChatChunk,
    ChatModel,
    ChatRequest,
    FinishReason,
    Message,
    Parameters,
    ResponseFormat,
    Role,
)

SCHEMA = {
    "type": "object",
    "properties": {"when": {"type": "string"}},
    "required": ["when"],
    "additionalProperties": False,
}


def a_request(model: str, text: str = "When does the gate close?") -> ChatRequest:
    return ChatRequest(model, (Message.of(Role.SYSTEM, "You keep the gate."), Message.of(Role.USER, text)))


async def chunks_of(model: ChatModel, request: ChatRequest) -> list[ChatChunk]:
    return [chunk async for chunk in model.stream(request)]


async def pieces_before(error: type[Exception], stream: AsyncIterator[Any]) -> list[Any]:
    """What a stream gave before it failed, as it must."""
    pieces: list[Any] = []
    try:
        async for piece in stream:
            pieces.append(piece)  # noqa: PERF401 - what came before the failure is wanted, an extend would lose it
    except error:
        return pieces
    raise AssertionError(f"the stream ended without a {error.__name__}")


class ChatModelContract:
    """`answering` is the name of a model that answers at once, `slow` of one that does not answer within one turn of the event loop."""

    answering: str
    slow: str

    @pytest.fixture
    def model(self) -> ChatModel:
        raise NotImplementedError

    async def test_it_answers_with_text_a_reason_and_a_usage(self, model: ChatModel):
        response = await model.generate(a_request(self.answering))

        assert response.text
        assert response.finish_reason is FinishReason.STOP
        assert response.usage.input_tokens > 0
        assert response.usage.output_tokens > 0

    async def test_a_stream_is_made_of_deltas_that_join_to_the_whole_text(self, model: ChatModel):
        whole = await model.generate(a_request(self.answering))

        chunks = await chunks_of(model, a_request(self.answering))

        assert whole.text == "".join(chunk.text for chunk in chunks)
        assert len([chunk for chunk in chunks if chunk.text]) > 1

    async def test_only_the_last_chunk_says_why_it_ended_and_what_it_used(self, model: ChatModel):
        *earlier, last = await chunks_of(model, a_request(self.answering))

        assert all(chunk.finish_reason is None and chunk.usage is None for chunk in earlier)
        assert last.finish_reason is FinishReason.STOP
        assert last.usage is not None
        assert last.usage.output_tokens > 0

    async def test_all_parameters_may_be_given(self, model: ChatModel):
        parameters = Parameters(temperature=0.0, top_p=0.9, max_tokens=200, stop_sequences=("\n\n\n",), seed=7)

        response = await model.generate(replace(a_request(self.answering), parameters=parameters))

        assert response.text

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_structured_output_fits_its_schema(self, model: ChatModel, streamed: bool):
        request = replace(a_request(self.answering), response_format=ResponseFormat(SCHEMA))

        if streamed:
            text = "".join(chunk.text for chunk in await chunks_of(model, request))
        else:
            text = (await model.generate(request)).text

        assert jsonschema_rs.is_valid(SCHEMA, json.loads(text))

    @pytest.mark.parametrize("streamed", [False, True])
    async def test_a_cancelled_call_ends_and_leaves_the_model_fit_for_the_next(self, model: ChatModel, streamed: bool):
        request = a_request(self.slow)
        calling = asyncio.create_task(chunks_of(model, request) if streamed else model.generate(request))
        await asyncio.sleep(0)

        calling.cancel()

        with pytest.raises(asyncio.CancelledError):
            await calling
        assert (await model.generate(a_request(self.answering))).text

    async def test_a_stream_may_be_left_before_its_end(self, model: ChatModel):
        async with aclosing(model.stream(a_request(self.answering))) as chunks:
            first = await anext(chunks)

        assert first.text
        assert (await model.generate(a_request(self.answering))).text

    async def test_calls_run_side_by_side(self, model: ChatModel):
        responses = await asyncio.gather(*(model.generate(a_request(self.answering)) for _ in range(20)))

        assert len({response.text for response in responses}) == 1

    async def test_a_deadline_in_the_request_does_no_harm(self, model: ChatModel):
        request = replace(a_request(self.answering), deadline=time.monotonic() + 60)

        assert (await model.generate(request)).text

    async def test_ping_returns_when_the_provider_answers(self, model: ChatModel):
        await model.ping()
