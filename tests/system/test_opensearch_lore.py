"""A real body of lore on OpenSearch: it ranks as the embedded index does."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from llmops_api.adapters.database.store import open_state_store
from llmops_api.adapters.minilm import open_embedder
from llmops_api.adapters.opensearch.index import open_lore_index
from llmops_api.core.documents import Document
from llmops_api.core.worlds import World
from llmops_api.ports.embedding import Embedder, InputType, Vectors
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import StateStore
from tests.support import Library, library_of

SRD = World("srd", "The rules")


class Remembering:
    """An embedder that makes each vector once, however many indexes want it."""

    def __init__(self, embedder: Embedder) -> None:
        self.id, self.dimensions, self.languages = embedder.id, embedder.dimensions, embedder.languages
        self._embedder = embedder
        self._made: dict[tuple[str, InputType], np.ndarray] = {}

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        missing = [each for each in dict.fromkeys(inputs) if (each, input_type) not in self._made]
        if missing:
            rows = await self._embedder.embed(missing, input_type=input_type)
            self._made.update(zip(((each, input_type) for each in missing), rows, strict=True))
        return np.stack([self._made[each, input_type] for each in inputs])

    async def ping(self) -> None:
        await self._embedder.ping()


@asynccontextmanager
async def _srd(folder: Path, state: StateStore, index: LoreIndex, embedder: Embedder) -> AsyncIterator[Library]:
    """The lore of the given folder in a library."""
    library = library_of(state, index, embedder)
    await library.worlds.put(SRD)
    lines = [json.loads(line) for line in (folder / "srd5e" / "corpus.jsonl").read_text("utf-8").splitlines()]
    documents = [Document(line["id"], line["title"], line["text"], line.get("kind", "")) for line in lines]
    for start in range(0, len(documents), 64):
        await library.lore.put_many(SRD, documents[start : start + 64])
    yield library


async def test_both_indexes_rank_the_given_questions_alike(
    lore_folder: Path, tmp_path: Path, state: StateStore, index: LoreIndex, opensearch_url: str, opensearch_prefix: str
) -> None:
    """The same five hits in the same order for nineteen of the twenty at least."""
    questions = (lore_folder / "srd5e" / "questions.jsonl").read_text("utf-8").splitlines()
    database = f"sqlite+aiosqlite:///{tmp_path / 'other.sqlite'}"
    async with (
        open_embedder() as embedder,
        open_state_store(database_url=database) as other,
        open_lore_index(url=opensearch_url, prefix=opensearch_prefix, replicas=0) as opensearch,
        _srd(lore_folder, state, index, remembering := Remembering(embedder)) as here,
        _srd(lore_folder, other, opensearch, remembering) as there,
    ):
        alike = 0
        for question in (json.loads(line)["question"] for line in questions):
            alike += await here.found(SRD, question) == await there.found(SRD, question)

    assert len(questions) == 20
    assert alike >= 19
