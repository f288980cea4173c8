"""What every embedder must do; a test class inherits it and supplies the fixture `embedder`."""

import asyncio

import numpy as np
import pytest

from llmops_api.ports.embedding import Embedder, InputType

TEXTS = (
    "The ferry to Saltmarsh leaves at dawn.",
    "Wolves.",
    "Old Marta sells candles, rope and rumours from a cart by the well, and she remembers every debt.",
    "Who may enter the crypt?",
)


class EmbedderContract:
    @pytest.fixture
    def many(self) -> list[str]:
        """More texts of mixed lengths than an adapter sends at once."""
        return [f"{text} {'It rains. ' * (number % 7)}{number}" for number in range(10) for text in TEXTS]

    def test_names_its_model_and_its_languages(self, embedder: Embedder) -> None:
        """The id and the dimensions are there; languages are two-letter codes, or None for all."""
        assert embedder.id
        assert embedder.dimensions > 0
        assert embedder.languages is None or embedder.languages
        assert all(len(code) == 2 and code.islower() for code in embedder.languages or ())

    @pytest.mark.parametrize("input_type", InputType)
    async def test_gives_one_row_per_text(self, embedder: Embedder, input_type: InputType) -> None:
        """The result is float32 of shape (texts, dimensions), for documents and for queries."""
        vectors = await embedder.embed(TEXTS, input_type=input_type)

        assert vectors.shape == (len(TEXTS), embedder.dimensions)
        assert vectors.dtype == np.float32

    @pytest.mark.parametrize("input_type", InputType)
    async def test_rows_are_of_length_one(self, embedder: Embedder, input_type: InputType) -> None:
        """A dot product of two rows is their cosine."""
        vectors = await embedder.embed(TEXTS, input_type=input_type)

        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)

    @pytest.mark.parametrize("input_type", InputType)
    async def test_no_text_gives_no_rows(self, embedder: Embedder, input_type: InputType) -> None:
        """The shape still says the dimensions, so that results can be stacked."""
        vectors = await embedder.embed([], input_type=input_type)

        assert vectors.shape == (0, embedder.dimensions)

    async def test_different_texts_have_different_vectors(self, embedder: Embedder) -> None:
        """Nothing is answered by a constant."""
        vectors = await embedder.embed(TEXTS, input_type=InputType.DOCUMENT)

        assert np.triu(vectors @ vectors.T, 1).max() < 0.999

    async def test_a_text_has_the_same_vector_alone_and_among_others(self, embedder: Embedder, many: list[str]) -> None:
        """Rows stand in the order of the texts, and neighbours do not change them."""
        together = await embedder.embed(many, input_type=InputType.DOCUMENT)
        alone = [(await embedder.embed([text], input_type=InputType.DOCUMENT))[0] for text in many]

        assert np.sum(together * np.array(alone), axis=1).min() > 0.999

    async def test_simultaneous_calls_keep_their_own_rows(self, embedder: Embedder, many: list[str]) -> None:
        """Each of many concurrent calls gets the vector of its text."""
        expected = await embedder.embed(many, input_type=InputType.QUERY)
        answers = await asyncio.gather(*(embedder.embed([text], input_type=InputType.QUERY) for text in many))

        assert np.sum(expected * np.vstack(answers), axis=1).min() > 0.999

    async def test_answers_a_ping(self, embedder: Embedder) -> None:
        """An embedder that works says so by returning."""
        await embedder.ping()
