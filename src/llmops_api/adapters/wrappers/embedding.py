"""The manners around an embedder: a failure that may pass is tried again, and no try may take for ever."""

import asyncio
import random
from collections.abc import Sequence

from llmops_api.adapters.wrappers.chat import Limits, pause, timed
from llmops_api.errors import ProviderError, ProviderTimeout
from llmops_api.ports.embedding import Embedder, InputType, Vectors


class SteadyEmbedder:
    """`embedder`, tried again as models are, each try measured and ended after the timeout."""

    def __init__(self, embedder: Embedder, *, name: str, limits: Limits) -> None:
        self._embedder = embedder
        self._name = name
        self._limits = limits

    @property
    def id(self) -> str:
        return self._embedder.id

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    @property
    def languages(self) -> frozenset[str] | None:
        return self._embedder.languages

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        tries = 0
        while True:
            tries += 1
            try:
                return await self._tried(inputs, input_type)
            except ProviderError as error:
                wait = pause(error, tries, None, random.random())  # noqa: S311 - spreads tries, hides nothing
                if wait is None or tries >= self._limits.attempts:
                    raise
            await asyncio.sleep(wait)

    async def ping(self) -> None:
        await self._embedder.ping()

    async def _tried(self, inputs: Sequence[str], input_type: InputType) -> Vectors:
        try:
            with timed(("embeddings", self._name, self.id)):
                async with asyncio.timeout(self._limits.timeout):
                    return await self._embedder.embed(inputs, input_type=input_type)
        except TimeoutError as error:
            message = f"embedder '{self._name}' did not answer within {self._limits.timeout:g} s"
            raise ProviderTimeout(message, provider=self._name) from error
