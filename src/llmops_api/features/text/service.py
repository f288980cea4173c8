"""Text from any model: one request, whole or as it is made, checked against the schema that was asked for."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import orjson

from llmops_api.core.answer_schema import AnswerSchema
from llmops_api.core.models import Answer, Models
from llmops_api.core.stopwatch import Stopwatch
from llmops_api.errors import ProviderGarbled
from llmops_api.features.text.schemas import GenerateRequest, GenerateResponse
from llmops_api.ports.backends import Backends
from llmops_api.ports.chat import ChatRequest, Message, Parameters, ResponseFormat, Role
from llmops_api.responses import StreamEvent
from llmops_api.schemas import Cost, Delta, ModelUsed, Timing, Usage


@dataclass(frozen=True, slots=True)
class TextService:
    """What stands behind `POST /v1/text/generate`."""

    models: Models
    backends: Backends

    async def events(self, body: GenerateRequest, watch: Stopwatch) -> AsyncGenerator[StreamEvent, None]:
        """`delta`s and `usage` when `body.stream`, and `done` with the whole answer. Raises `ProviderError`s, `UnknownModel`."""
        choice = self.models.resolve(body.model)
        schema = None if body.response_format is None else AnswerSchema(body.response_format.json_schema)
        request = _chat_request(body, watch)
        if body.stream:
            answer: Answer | None = None
            async with aclosing(self.models.stream(choice, request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                    elif isinstance(piece, str):
                        watch.mark("first")
                        yield StreamEvent("delta", Delta(text=piece))
            assert answer is not None, "a stream ends with its answer"
            yield StreamEvent("usage", Usage.of(answer.response.usage))
        else:
            answer = await self.models.generate(choice, request)
        parsed = None if schema is None else await _parsed(answer, schema, watch)
        timing = Timing(total_ms=watch.total, first_token_ms=watch.at("first"))
        yield StreamEvent("done", self._whole(answer, parsed, timing))

    def _whole(self, answer: Answer, parsed: Any, timing: Timing) -> GenerateResponse:
        return GenerateResponse(
            id=self.backends.new_id("text"),
            text=answer.response.text,
            parsed=parsed,
            finish_reason=answer.response.finish_reason.value,
            model=ModelUsed.of(answer),
            usage=Usage.of(answer.response.usage),
            cost=Cost.of(answer.cost),
            timing=timing,
        )


def _chat_request(body: GenerateRequest, watch: Stopwatch) -> ChatRequest:
    given = [Message.of(Role(each.role), each.content) for each in body.messages or ()]
    if body.prompt is not None:
        given.append(Message.of(Role.USER, body.prompt))
    if body.system:
        given.insert(0, Message.of(Role.SYSTEM, body.system))
    parameters = body.parameters
    wanted = body.response_format
    return ChatRequest(
        model="",
        messages=tuple(given),
        parameters=Parameters(
            temperature=parameters.temperature,
            top_p=parameters.top_p,
            max_tokens=parameters.max_tokens,
            stop_sequences=tuple(parameters.stop_sequences),
            seed=parameters.seed,
        ),
        response_format=None if wanted is None else ResponseFormat(wanted.json_schema, wanted.name),
        deadline=watch.deadline,
    )


async def _parsed(answer: Answer, schema: AnswerSchema, watch: Stopwatch) -> Any:
    text = answer.response.text.encode(errors="replace")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ProviderGarbled("The model's answer is not JSON.", provider=answer.ref.provider) from error
    if not await schema.fits(text, value, watch.deadline):
        raise ProviderGarbled("The model's answer does not fit the schema.", provider=answer.ref.provider)
    return value
