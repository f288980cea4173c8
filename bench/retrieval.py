"""Retrieval from the embedded lore index against NumPy's bare exact scan of the same vectors, in one run.

Both compare the question with every vector; the index also reads its generation, ranks by keywords, takes the best
chunk of each document and brings the documents.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.tables import show
from llmops_api.adapters.embedded.index import open_lore_index
from llmops_api.ports.lore_index import Chunk, Filter, LoreEntry, LoreIndex, Query

SIZES = (1_000, 10_000, 100_000)
DIMENSIONS = 384
TERMS = 80
VOCABULARY = 30_000
CLUSTERS = 200
LIMIT = 50
SEARCHES = 60
BATCH = 500
HALF = Filter(tags_any=frozenset(f"place-{n}" for n in range(10)))
ONE_IN_20 = Filter(tags_any=frozenset({"place-3"}))


@dataclass(frozen=True, slots=True)
class Lore:
    """One chunk a document, the hardest case for the keyword side. Term `i` is drawn in proportion to 1 / (20 + i), as words are when the stop words are gone."""

    vectors: NDArray[np.float32]
    terms: NDArray[np.int64]

    def entry(self, number: int, version: int = 1) -> LoreEntry:
        terms = tuple(f"term{each}" for each in self.terms[number])
        text = " ".join(terms)
        chunk = Chunk(0, len(text), f"key-{number}", self.vectors[number])
        tags = frozenset({f"place-{number % 20}", "everybody"})
        title = " ".join(terms[:3])
        return LoreEntry(f"document-{number}", version, title, text, "place", tags, "en", terms[:3], terms, (chunk,))


def make_lore(size: int) -> Lore:
    random = np.random.default_rng(7)
    centres = random.standard_normal((CLUSTERS, DIMENSIONS), np.float32)
    vectors = centres[random.integers(CLUSTERS, size=size)]
    vectors += random.standard_normal((size, DIMENSIONS), np.float32) * np.float32(0.7)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights = 1 / np.arange(20, VOCABULARY + 20)
    return Lore(vectors, random.choice(VOCABULARY, (size, TERMS), p=weights / weights.sum()))


def make_queries(lore: Lore) -> list[Query]:
    """Questions close to a document: six of its terms, its vector with noise."""
    random = np.random.default_rng(11)
    queries = []
    for number in random.integers(len(lore.vectors), size=SEARCHES):
        vector = lore.vectors[number] + random.standard_normal(DIMENSIONS, np.float32) * np.float32(0.02)
        terms = tuple(f"term{each}" for each in lore.terms[number][:6])
        queries.append(Query(tuple(dict.fromkeys(terms)), vector / np.linalg.norm(vector), limit=LIMIT))
    return queries


def scan(vectors: NDArray[np.float32], query: Query) -> NDArray[np.int64]:
    """What anyone would write: all cosines, the best of them in order."""
    assert query.vector is not None
    cosines = vectors @ query.vector
    best = np.argpartition(cosines, -LIMIT)[-LIMIT:]
    order: NDArray[np.int64] = best[np.argsort(-cosines[best])]
    return order


async def timed(searches: Sequence[Callable[[Query], Awaitable[object]]], queries: Sequence[Query]) -> list[float]:
    """The median of each in milliseconds; they take turns, so that the machine's moods meet all of them."""
    seconds = np.empty((len(queries), len(searches)))
    for number, query in enumerate(queries):
        for column, search in enumerate(searches):
            start = time.perf_counter()
            await search(query)
            seconds[number, column] = time.perf_counter() - start
    return [float(each) * 1000 for each in np.median(seconds, axis=0)]


async def fill(index: LoreIndex, lore: Lore) -> None:
    await index.create("bench", embedder_id="bench", dimensions=DIMENSIONS)
    for start in range(0, len(lore.vectors), BATCH):
        numbers = range(start, min(start + BATCH, len(lore.vectors)))
        await index.write("bench", [lore.entry(number) for number in numbers])


async def measure(index: LoreIndex, lore: Lore) -> list[list[str | float]]:
    """A row for each kind of search of one index."""
    queries, versions = make_queries(lore), count(2)

    async def bare(query: Query) -> None:
        scan(lore.vectors, query)

    async def change_and_search(query: Query) -> None:
        await index.write("bench", [lore.entry(0, next(versions))])
        await index.search("bench", query)

    searches: dict[str, Callable[[Query], Awaitable[object]]] = {
        "NumPy's scan": bare,
        "vectors": lambda query: index.search("bench", replace(query, terms=())),
        "keywords and vectors": lambda query: index.search("bench", query),
        "the same, half of the lore allowed": lambda query: index.search("bench", replace(query, filter=HALF)),
        "the same, 1 in 20 allowed": lambda query: index.search("bench", replace(query, filter=ONE_IN_20)),
    }
    await index.search("bench", queries[0])
    medians = await timed(list(searches.values()), queries)
    medians += await timed([change_and_search], queries)
    names = [*searches, "one document written, then keywords and vectors"]
    return [
        [f"{len(lore.vectors):,}", name, each, each / medians[0]] for name, each in zip(names, medians, strict=True)
    ]


async def main() -> None:
    rows = []
    for size in SIZES:
        lore = make_lore(size)
        with tempfile.TemporaryDirectory() as folder:
            async with open_lore_index(folder=Path(folder)) as index:
                await fill(index, lore)
                rows += await measure(index, lore)
    show("Retrieval", ("chunks", "search", "median ms", "of NumPy's scan"), rows)


if __name__ == "__main__":
    asyncio.run(main())
