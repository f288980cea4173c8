"""How well lore is found, and how well the gate tells what it does not hold: our own questions, the service's own parts.

    python -m bench.retrieval_quality [--folder KEPT] [--fit]

The two large bodies of lore are read from LLMOPS_TEST_DATA (default ../shared/data); without them the sample world
alone is measured. Embedding them takes a minute or two, so `--folder` keeps the index from run to run. `--fit` repeats
the fits behind the constants of `core/ranking.py` and `core/gate.py`, each world judged by what the others taught.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from bench.retrieval_fit import Judged, Searched, fit_gate, fit_ranking
from llmops_api.adapters.embedded.index import open_lore_index
from llmops_api.adapters.minilm import open_embedder
from llmops_api.core.documents import Document, chunks_of, entries_of
from llmops_api.core.gate import DEFAULT_THRESHOLD, Sample, calibrate, judge
from llmops_api.core.ranking import rank
from llmops_api.core.terms import content_terms
from llmops_api.ports.embedding import Embedder, InputType
from llmops_api.ports.lore_index import LoreIndex, Query, Vector

QUESTIONS = Path(__file__).parent / "questions"
LOCALE = "en"
MODES = ("hybrid", "keyword", "vector")
SAMPLE_SIZES = (64, 200, 600)
PAGE = 64


@dataclass(frozen=True, slots=True)
class Question:
    """`gold` holds the ids of the documents that answer it; none when the lore does not."""

    text: str
    gold: frozenset[str]


@dataclass(frozen=True, slots=True)
class World:
    name: str
    documents: tuple[Document, ...]
    questions: tuple[Question, ...]

    def sample(self, size: int) -> "World":
        """A part of the world, with the questions that it still answers and those that it never did."""
        chosen = np.random.default_rng(1).choice(len(self.documents), size, replace=False)
        documents = tuple(self.documents[i] for i in sorted(chosen))
        ids = {each.id for each in documents}
        questions = tuple(each for each in self.questions if not each.gold or each.gold & ids)
        return World(f"{self.name}-{size}", documents, questions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the index here")
    parser.add_argument("--fit", action="store_true", help="repeat the fits, world by world")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(arguments.folder or Path(scratch), fit=arguments.fit))


async def measure(folder: Path, *, fit: bool) -> None:
    found = list(worlds())
    async with open_lore_index(folder=folder) as index, open_embedder() as embedder:
        for world in found:
            await ingest(index, embedder, world)
            for mode in MODES:
                report(world, mode, await search(index, embedder, world, mode))
        if fit:
            whole = {world.name: await search(index, embedder, world, "hybrid") for world in found}
            fit_ranking(whole)
            for mode in ("hybrid", "keyword"):
                fit_gate(await judged(index, embedder, found, mode), mode)


def worlds() -> Iterator[World]:
    """The two large ones where they are there, and the sample world with its own questions besides ours."""
    famous = read_questions(QUESTIONS / "famous.jsonl")
    data = Path(os.environ.get("LLMOPS_TEST_DATA", "../shared/data"))
    for name in ("srd5e", "dungeon_world"):
        corpus = data / name / "corpus.jsonl"
        if corpus.exists():
            yield World(name, read_documents(corpus), read_questions(QUESTIONS / f"{name}.jsonl") + famous)
    seeds = Path(str(files("llmops_api"))) / "seeds" / "emberfall"
    questions = read_questions(QUESTIONS / "emberfall.jsonl") + read_questions(seeds / "questions.jsonl")
    yield World("emberfall", read_documents(seeds / "lore.jsonl"), questions + famous)


def read_documents(path: Path) -> tuple[Document, ...]:
    return tuple(
        Document(row["id"], row["title"], row["text"], row.get("kind", ""), keys=tuple(row.get("keys", ())))
        for row in read_lines(path)
    )


def read_questions(path: Path) -> tuple[Question, ...]:
    return tuple(Question(row["question"], frozenset(row["gold"])) for row in read_lines(path))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


async def ingest(index: LoreIndex, embedder: Embedder, world: World, source: str | None = None) -> None:
    """Index the world, taking the vectors that `source` (or an earlier run) already holds."""
    await index.create(world.name, embedder_id=embedder.id, dimensions=embedder.dimensions)
    known = await index.versions(world.name)
    missing = [each for each in world.documents if each.id not in known]
    for start in range(0, len(missing), PAGE):
        page = missing[start : start + PAGE]
        texts = {chunk.key: chunk.embedded for each in page for chunk in chunks_of(each)}
        vectors = dict(await index.vectors(source or world.name, list(texts)))
        new = [key for key in texts if key not in vectors]
        embedded = await embedder.embed([texts[key] for key in new], input_type=InputType.DOCUMENT)
        vectors |= dict(zip(new, embedded, strict=True))
        await index.write(world.name, entries_of(page, LOCALE, vectors))


async def search(index: LoreIndex, embedder: Embedder, world: World, mode: str) -> list[Searched]:
    asked = [each.text for each in world.questions]
    vectors: Sequence[Vector | None] = [None] * len(asked)
    if mode != "keyword":
        vectors = list(await embedder.embed(asked, input_type=InputType.QUERY))
    searched = []
    for question, vector in zip(world.questions, vectors, strict=True):
        terms = () if mode == "vector" else content_terms(question.text, LOCALE)
        result = await index.search(world.name, Query(terms, vector))
        ranked = rank(LOCALE, result)
        verdict = judge(question.text, LOCALE, result, ranked)
        searched.append(Searched(question.text, question.gold, tuple(ranked), verdict))
    return searched


async def judged(index: LoreIndex, embedder: Embedder, found: Sequence[World], mode: str) -> list[Judged]:
    """Verdicts on every world, whole and in parts."""
    all_judged = []
    for world in found:
        parts = [world.sample(size) for size in SAMPLE_SIZES if size < 0.8 * len(world.documents)]
        for part in (world, *parts):
            if part is not world:
                await ingest(index, embedder, part, source=world.name)
            searched = await search(index, embedder, part, mode)
            all_judged.append(Judged(world.name, len(part.documents), tuple(searched)))
    return all_judged


def report(world: World, mode: str, searched: Sequence[Searched]) -> None:
    places = np.array([each.place for each in searched if each.gold])
    samples = [Sample(each.verdict.score, bool(each.gold)) for each in searched]
    refused = [(each.score < DEFAULT_THRESHOLD, each.answered) for each in samples]
    wrongly = np.mean([no for no, answered in refused if answered])
    rightly = np.mean([no for no, answered in refused if not answered])
    print(
        f"{world.name:14} {mode:8} {len(places)} questions: hit@1 {np.mean(places == 1):.3f}  hit@5"
        f" {np.mean(places <= 5):.3f}   gate: refuses {rightly:.3f} of {sum(not answered for _, answered in refused)}"
        f" others, {wrongly:.3f} of those answered"
    )
    if mode == "hybrid":
        for row in calibrate(samples).table:
            print(f"    threshold {row.threshold:.2f}: {row.refusals:.3f} refused, {row.false_refusals:.3f} wrongly")


if __name__ == "__main__":
    main()
