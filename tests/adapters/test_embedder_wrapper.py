"""An embedder behind its manners: the same contract, and patience with what passes."""

import asyncio
from collections.abc import Sequence

import pytest

from llmops_api.adapters.wrappers.chat import Limits
from llmops_api.adapters.wrappers.embedding import SteadyEmbedder
from llmops_api.errors import ProviderDenied, ProviderError, ProviderThrottled, ProviderTimeout
from llmops_api.ports.embedding import Embedder, InputType, Vectors
from tests.contracts.embedder import EmbedderContract
from tests.support import CountingEmbedder

LIMITS = Limits(attempts=3, timeout=0.05)


class Failing(CountingEmbedder):
    """Raises what it is given before it embeds, or never answers."""

    def __init__(self, *errors: ProviderError) -> None:
        super().__init__()
        self.errors = list(errors)
        self.calls = 0

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().embed(inputs, input_type=input_type)


class TestSteadyEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return SteadyEmbedder(CountingEmbedder(), name="letters", limits=LIMITS)


def _throttled() -> ProviderThrottled:
    return ProviderThrottled("slow down", provider="letters", retry_after=0.001)


async def test_what_passes_is_tried_again() -> None:
    """Two refusals, then vectors."""
    embedder = Failing(_throttled(), _throttled())
    rows = await SteadyEmbedder(embedder, name="letters", limits=LIMITS).embed(["a"], input_type=InputType.DOCUMENT)

    assert len(rows) == 1
    assert embedder.calls == 3


async def test_after_the_last_try_the_failure_stands() -> None:
    """Three tries, no more."""
    embedder = Failing(*(_throttled() for _ in range(5)))
    with pytest.raises(ProviderThrottled):
        await SteadyEmbedder(embedder, name="letters", limits=LIMITS).embed(["a"], input_type=InputType.QUERY)

    assert embedder.calls == 3


async def test_what_does_not_pass_is_not_tried_again() -> None:
    """A refused key stays refused."""
    embedder = Failing(ProviderDenied("no", provider="letters"))
    with pytest.raises(ProviderDenied):
        await SteadyEmbedder(embedder, name="letters", limits=LIMITS).embed(["a"], input_type=InputType.QUERY)

    assert embedder.calls == 1


async def test_an_embedder_that_never_answers_is_given_up() -> None:
    """Each try ends at the timeout."""

    class Silent(CountingEmbedder):
        async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
            await asyncio.Event().wait()
            raise AssertionError("an event that nobody sets was set")

    with pytest.raises(ProviderTimeout):
        await SteadyEmbedder(Silent(), name="letters", limits=LIMITS).embed(["a"], input_type=InputType.QUERY)
