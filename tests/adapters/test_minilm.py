"""The in-process embedder against upstream's own vectors, and against text that nobody should send."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from llmops_api.adapters.minilm import FOLDER, MiniLM, MiniLMEmbedder, open_embedder
from llmops_api.errors import ProviderUnavailable
from llmops_api.ports.embedding import Embedder, InputType
from tests.contracts.embedder import EmbedderContract

REFERENCES = json.loads((Path(__file__).parent / "recordings" / "minilm_reference.json").read_text("utf-8"))[
    "references"
]
CHAPTER = "The abbey burned twice, and twice the monks carried the same bell out of the ashes. " * 10


HOSTILE = [
    "",
    " \t\r\n",
    "\x00",
    "\u200b\u200d\ufeff",
    "\u202eright to left",
    "\ud800",
    "a bell \udfff in the tower",
    "🐉🔥" * 300,
    "钟" * 10_000,
    "x" * 10_000,
    "[SEP] [MASK] [PAD]",
]


class CountedTexts(list[str]):
    """Knows how many of its texts were taken."""

    taken = 0

    def __iter__(self) -> Iterator[str]:
        for text in super().__iter__():
            self.taken += 1
            yield text


@pytest.fixture
async def embedder() -> AsyncIterator[Embedder]:
    async with open_embedder() as opened:
        yield opened


class TestMiniLMEmbedder(EmbedderContract):
    async def test_comes_near_the_vectors_of_upstream(self, embedder: Embedder) -> None:
        """Quantised to int8, each vector keeps a cosine of at least .99 to the one of the full model."""
        vectors = await embedder.embed([it["text"] for it in REFERENCES], input_type=InputType.DOCUMENT)

        assert np.sum(vectors * np.array([it["vector"] for it in REFERENCES]), axis=1).min() >= 0.99

    def test_its_id_names_the_shipped_file(self) -> None:
        """Another model.onnx is another id, so that old vectors are not compared with new ones."""
        digest = hashlib.sha256((FOLDER / "model.onnx").read_bytes()).hexdigest()

        assert MiniLMEmbedder.id == f"{FOLDER.name}:{digest[:8]}"

    async def test_reads_the_beginning_of_a_long_text(self, embedder: Embedder) -> None:
        """What stands past the model's 256 tokens changes nothing."""
        page, book = await embedder.embed([CHAPTER * 2, CHAPTER * 500 + "Dragons!"], input_type=InputType.DOCUMENT)

        assert np.array_equal(page, book)

    async def test_reads_a_whole_chunk(self, embedder: Embedder) -> None:
        """The last word of 900 characters of prose counts."""
        chunk = (CHAPTER * 2)[:890]
        one, other = await embedder.embed([f"{chunk} Dragons!", f"{chunk} Candles."], input_type=InputType.DOCUMENT)

        assert not np.array_equal(one, other)

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:20])
    async def test_hostile_text_has_a_vector(self, embedder: Embedder, text: str) -> None:
        """Nothing that a player can type, broken Unicode included, fails or gives a vector that is not a number."""
        vectors = await embedder.embed([text, "an honest neighbour"], input_type=InputType.QUERY)

        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)

    @pytest.mark.parametrize("input_type", InputType)
    async def test_a_small_call_overtakes_a_long_one(self, embedder: Embedder, input_type: InputType) -> None:
        """Neither a query nor a single document waits until an ingest is done."""
        texts = CountedTexts([CHAPTER] * 60)
        ingest = asyncio.create_task(embedder.embed(texts, input_type=InputType.DOCUMENT))
        await asyncio.sleep(0)
        await embedder.embed(["When does the bell ring?"], input_type=input_type)

        assert 0 < texts.taken < 60

        await ingest

    async def test_a_cancelled_call_stops_working(self, embedder: Embedder) -> None:
        """The texts that nobody waits for any more are not read."""
        texts = CountedTexts([CHAPTER] * 60)
        ingest = asyncio.create_task(embedder.embed(texts, input_type=InputType.DOCUMENT))
        await embedder.embed(["When does the bell ring?"], input_type=InputType.QUERY)
        ingest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ingest
        await embedder.ping()

        assert 0 < texts.taken < 60

    async def test_says_so_when_it_is_closed(self) -> None:
        """A late caller gets one of our errors."""
        async with open_embedder() as closed:
            pass

        with pytest.raises(ProviderUnavailable):
            await closed.embed(["too late"], input_type=InputType.QUERY)

        with pytest.raises(ProviderUnavailable):
            await closed.ping()

    @pytest.mark.parametrize("content", [None, b"", b"no model"])
    def test_says_so_when_its_file_is_missing_or_broken(self, tmp_path: Path, content: bytes | None) -> None:
        """An incomplete installation is one of our errors, not one of the runtime's dozen."""
        model = tmp_path / "model.onnx"
        if content is not None:
            model.write_bytes(content)

        with pytest.raises(ProviderUnavailable):
            MiniLM(model)
