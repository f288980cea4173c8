"""Amazon Bedrock: chat by Converse and ConverseStream, embeddings by InvokeModel.

A model's name is what AWS calls it: a model id, an inference profile (`us.anthropic...`) or an ARN.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing, suppress
from typing import Any

from aiohttp import ClientError as HttpError

from llmops_api.adapters.bedrock.client import BedrockSettings, open_client, ping
from llmops_api.adapters.bedrock.embedder import BedrockEmbedder, shape_of
from llmops_api.adapters.bedrock.failures import interrupted, translated
from llmops_api.adapters.bedrock.prompt_cache import PromptCache
from llmops_api.adapters.bedrock.wire import configured, converse_input, finish_reason_of, response_of, usage_of
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, Usage
from llmops_api.ports.embedding import Embedder
from llmops_api.settings import read

_DRAIN_SECONDS = 0.1


@asynccontextmanager
async def open_chat_model(**options: Any) -> AsyncIterator[ChatModel]:
    """`options` are those of `BedrockSettings`; they win over the environment. Raises `WrongSetting`."""
    settings = read(BedrockSettings, **options)
    async with open_client(settings) as client:
        yield BedrockChatModel(client, settings)


@asynccontextmanager
async def open_embedder(*, model: str, **options: Any) -> AsyncIterator[Embedder]:
    """`options` as for `open_chat_model`. Raises `WrongSetting`, also for a model that is not known here."""
    settings = read(BedrockSettings, **options)
    shape = shape_of(model, settings.embedding_dimensions)
    async with open_client(settings) as client:
        yield BedrockEmbedder(client, model, shape)


class BedrockChatModel:
    """Text in, text out; `client` is an aiobotocore client of `bedrock-runtime`."""

    def __init__(self, client: Any, settings: BedrockSettings) -> None:
        self._client = client
        self._cache = PromptCache(settings.prompt_cache)
        self._configured = configured(settings, streamed=False)
        self._configured_stream = configured(settings, streamed=True)

    async def generate(self, request: ChatRequest) -> ChatResponse:
        wanted = converse_input(request, cached=self._cache.serves(request.model))
        with translated():
            response = response_of(await self._client.converse(**wanted, **self._configured))
        self._cache.notice(request, response.usage)
        return response

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        wanted = converse_input(request, cached=self._cache.serves(request.model))
        finish_reason, usage = None, Usage()
        with translated():
            answer = await self._client.converse_stream(**wanted, **self._configured_stream)
            with closing(answer["stream"]) as stream:
                async with aclosing(aiter(stream)) as events:
                    async for event in events:
                        if "contentBlockDelta" in event:
                            if text := event["contentBlockDelta"]["delta"].get("text"):
                                yield ChatChunk(text)
                        elif "messageStop" in event:
                            finish_reason = finish_reason_of(event["messageStop"]["stopReason"])
                        elif "metadata" in event:
                            usage = usage_of(event["metadata"]["usage"])
                            break
                    if finish_reason is None:
                        raise interrupted()
                    self._cache.notice(request, usage)
                    yield ChatChunk("", finish_reason, usage)
                    await _drain(events)

    async def ping(self) -> None:
        await ping(self._client)


async def _drain(events: AsyncIterator[Any]) -> None:
    """Read what comes after the last event, so that the connection can be used again; give up soon."""
    with suppress(TimeoutError, HttpError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in events:
                pass
