"""Titan and Cohere over real HTTP: in calls of the size that each takes, asked as each is asked."""

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from llmops_api.adapters.bedrock.model import open_embedder
from llmops_api.adapters.wrappers.chat import Limits
from llmops_api.adapters.wrappers.embedding import SteadyEmbedder
from llmops_api.errors import (
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
from llmops_api.ports.embedding import Embedder, InputType
from llmops_api.settings import WrongSetting
from tests.contracts.embedder import EmbedderContract
from tests.upstreams.bedrock_wire import SECRET, operation, status_of
from tests.upstreams.servers import OwnUpstream, Server

TITAN = "amazon.titan-embed-text-v2:0"
COHERE_3 = "cohere.embed-multilingual-v3"
COHERE_4 = "us.cohere.embed-v4:0"

pytestmark = pytest.mark.usefixtures("aws_keys")


def opened(upstream: Server, model: str, **options: Any) -> Any:
    return open_embedder(model=model, region="eu-central-1", endpoint_url=upstream.url, **options)


class TestTitanOfMoto(EmbedderContract):
    @pytest.fixture
    async def embedder(self, moto_bedrock: Server) -> AsyncIterator[Embedder]:
        async with opened(moto_bedrock, TITAN) as embedder:
            yield embedder


class TestCohereOfMoto(EmbedderContract):
    @pytest.fixture
    async def embedder(self, moto_bedrock: Server) -> AsyncIterator[Embedder]:
        async with opened(moto_bedrock, COHERE_3) as embedder:
            yield embedder


class TestCohere4OfOurOwn(EmbedderContract):
    @pytest.fixture
    async def embedder(self, bedrock: OwnUpstream) -> AsyncIterator[Embedder]:
        async with opened(bedrock, COHERE_4, embedding_dimensions=256) as embedder:
            yield embedder


async def bodies(
    bedrock: OwnUpstream, model: str, texts: list[str], input_type: InputType, **options: Any
) -> list[Any]:
    """What is sent to embed these texts, the longest call first."""
    async with opened(bedrock, model, **options) as embedder:
        await embedder.embed(texts, input_type=input_type)
    sent = [call["body"] for call in bedrock.get("/requests")]
    return sorted(sent, key=lambda body: -len(body.get("texts", ())))


async def test_titan_takes_one_text_a_call_and_makes_vectors_of_length_one(bedrock: OwnUpstream):
    sent = await bodies(bedrock, TITAN, ["a", "b"], InputType.QUERY, embedding_dimensions=512)

    assert sorted(sent, key=lambda body: body["inputText"]) == [
        {"inputText": text, "dimensions": 512, "normalize": True} for text in ("a", "b")
    ]


@pytest.mark.parametrize(
    ("input_type", "word"), [(InputType.DOCUMENT, "search_document"), (InputType.QUERY, "search_query")]
)
async def test_cohere_takes_ninety_six_texts_a_call_and_what_they_are_for(
    bedrock: OwnUpstream, input_type: InputType, word: str
):
    texts = [f"text {number}" for number in range(200)]

    sent = await bodies(bedrock, COHERE_3, texts, input_type)

    assert [len(body["texts"]) for body in sent] == [96, 96, 8]
    assert sent[2] == {
        "texts": texts[192:],
        "input_type": word,
        "embedding_types": ["float"],
        "truncate": "END",
    }


async def test_cohere_4_is_told_how_long_its_vectors_shall_be(bedrock: OwnUpstream):
    [sent] = await bodies(bedrock, COHERE_4, ["a"], InputType.QUERY, embedding_dimensions=512)

    assert (sent["output_dimension"], sent["truncate"]) == (512, "RIGHT")


async def test_at_most_sixteen_calls_run_at_once(bedrock: OwnUpstream):
    async with opened(bedrock, TITAN) as embedder:
        await embedder.embed([str(number) for number in range(60)], input_type=InputType.DOCUMENT)

    assert bedrock.calls(TITAN) == 60
    assert 1 < bedrock.get("/stats")["connections"] <= 16


@pytest.mark.parametrize(
    ("model", "dimensions", "languages"),
    [
        (TITAN, 1024, None),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{TITAN}", 1024, None),
        (COHERE_3, 1024, None),
        ("cohere.embed-english-v3", 1024, frozenset({"en"})),
        (COHERE_4, 1536, None),
    ],
)
async def test_a_model_has_its_own_dimensions_and_languages_and_an_id_that_tells_both(
    bedrock: OwnUpstream, model: str, dimensions: int, languages: frozenset[str] | None
):
    async with opened(bedrock, model) as embedder:
        assert (embedder.dimensions, embedder.languages) == (dimensions, languages)
        assert embedder.id == f"bedrock:{model}:{dimensions}"


@pytest.mark.parametrize(
    ("model", "dimensions", "named"),
    [
        ("", None, "LLMOPS_EMBEDDER_MODEL"),
        ("amazon.titan-embed-text-v1", None, "LLMOPS_EMBEDDER_MODEL"),
        (TITAN, 384, "LLMOPS_BEDROCK__EMBEDDING_DIMENSIONS must be 1024 or 512 or 256"),
        (TITAN, 0, "LLMOPS_BEDROCK__EMBEDDING_DIMENSIONS"),
        (COHERE_3, 256, "LLMOPS_BEDROCK__EMBEDDING_DIMENSIONS must be 1024"),
    ],
)
async def test_a_model_or_a_length_that_is_not_offered_is_a_wrong_setting(
    bedrock: OwnUpstream, model: str, dimensions: int | None, named: str
):
    with pytest.raises(WrongSetting, match=named):
        async with opened(bedrock, model, embedding_dimensions=dimensions):
            pass


EXPECTED: dict[str, type[ProviderError]] = {
    "AccessDeniedException": ProviderDenied,
    "InternalServerException": ProviderUnavailable,
    "ModelErrorException": ProviderUnavailable,
    "ModelNotReadyException": ProviderUnavailable,
    "ModelTimeoutException": ProviderTimeout,
    "ResourceNotFoundException": ModelNotServed,
    "ServiceQuotaExceededException": ProviderThrottled,
    "ServiceUnavailableException": ProviderUnavailable,
    "ThrottlingException": ProviderThrottled,
    "ValidationException": ProviderRejected,
}


def test_the_table_holds_every_exception_of_the_service_model():
    assert EXPECTED.keys() == {shape.name for shape in operation("InvokeModel").error_shapes}


@pytest.mark.parametrize(("code", "expected"), EXPECTED.items())
async def test_each_exception_has_its_error_and_is_tried_again_when_it_may_pass(
    bedrock: OwnUpstream, code: str, expected: type[ProviderError]
):
    model = f"fails:{code}:{status_of(code)}:titan-embed-text-v2"
    async with opened(bedrock, model) as embedder:
        steady = SteadyEmbedder(embedder, name="bedrock", limits=Limits(attempts=2))
        with pytest.raises(ProviderError) as caught:
            await steady.embed(["a"], input_type=InputType.QUERY)

    assert type(caught.value) is expected
    assert bedrock.calls(model) == (2 if expected.retryable else 1)
    assert SECRET not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("short-titan", ProviderGarbled),
        ("zero-titan", ProviderGarbled),
        ("word-titan", ProviderGarbled),
        ("garbage", ProviderGarbled),
        ("cut", ProviderInterrupted),
    ],
)
async def test_vectors_that_cannot_be_right_are_refused(bedrock: OwnUpstream, name: str, expected: type[ProviderError]):
    async with opened(bedrock, f"{name}:titan-embed-text-v2") as embedder:
        with pytest.raises(ProviderError) as caught:
            await embedder.embed(["a", "b", "c"], input_type=InputType.QUERY)

    assert type(caught.value) is expected


async def test_vectors_that_are_longer_than_one_are_brought_to_it(bedrock: OwnUpstream):
    """Cohere promises no length, and the stand-in's vectors are three long."""
    async with opened(bedrock, COHERE_3) as embedder:
        vectors = await embedder.embed(["a", "b"], input_type=InputType.QUERY)

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
