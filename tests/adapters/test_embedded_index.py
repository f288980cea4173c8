"""The embedded lore index: what it owes to its file, to other processes, and to arithmetic."""

import asyncio
import sqlite3
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, closing
from math import log
from pathlib import Path

import numpy as np
import pytest

from llmops_api.adapters.embedded.index import EmbeddedLoreIndex, open_lore_index
from llmops_api.errors import BackendUnavailable, NotFound
from llmops_api.ports.lore_index import Chunk, Filter, LoreEntry, LoreIndex, Query, Tombstone, Vector
from tests.contracts.lore_index import LoreIndexContract, embedded, entry, keyword_ids, unit, vector_ids

WRITER = Path(__file__).with_name("lore_writer.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "lore"


@pytest.fixture
async def lore(folder: Path) -> AsyncIterator[LoreIndex]:
    async with open_lore_index(folder=folder) as index:
        yield index


class TestEmbeddedLoreIndex(LoreIndexContract):
    pass


async def _start_writer(folder: Path, name: str, batches: int, size: int) -> Process:
    arguments = [str(WRITER), str(folder), name, str(batches), str(size)]
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)


@pytest.mark.parametrize("until", [1, 4, 9])
async def test_what_a_killed_process_had_acknowledged_is_there_and_found(folder: Path, until: int) -> None:
    size = 200
    writer = await _start_writer(folder, "w", 10_000, size)
    assert writer.stdout is not None
    acknowledged = [int(await writer.stdout.readline()) for _ in range(until)]
    writer.kill()
    acknowledged += map(int, (await writer.stdout.read()).split())
    await writer.wait()

    async with open_lore_index(folder=folder) as lore:
        batches = Counter(name.split("-")[1] for name in await lore.versions("world"))
        assert set(batches.values()) == {size}
        assert set(batches) >= {str(batch) for batch in acknowledged}
        for batch in acknowledged:
            result = await lore.search("world", Query(terms=(f"w-{batch}",), limit=size + 1))
            assert len(result.keyword) == size
        result = await lore.search("world", Query(vector=unit(1), limit=1))
        assert result.vector[0].cosine == pytest.approx(1)
        assert result.document_count == size * len(batches)
        await lore.write("world", [entry("after", "after")])
        assert keyword_ids(await lore.search("world", Query(terms=("after",)))) == ["after"]


async def test_processes_that_write_at_once_lose_nothing_and_are_seen_at_once(folder: Path) -> None:
    writers = [await _start_writer(folder, name, 20, 5) for name in ("x", "y", "z")]
    async with open_lore_index(folder=folder) as lore:

        async def follow(name: str, writer: Process) -> None:
            assert writer.stdout is not None
            while line := await writer.stdout.readline():
                result = await lore.search("world", Query(terms=(f"{name}-{int(line)}",)))
                assert len(result.keyword) == 5
            assert await writer.wait() == 0

        await asyncio.gather(*map(follow, "xyz", writers))
        result = await lore.search("world", Query(terms=("gate",), vector=unit(1), limit=400))

    assert (len(result.keyword), len(result.vector), result.document_frequency) == (300, 300, {"gate": 300})


async def test_two_instances_on_one_folder_see_each_others_changes(folder: Path, lore: LoreIndex) -> None:
    async with open_lore_index(folder=folder) as other:
        await lore.create("world", embedder_id="embedder", dimensions=8)
        for version, (writes, reads) in enumerate(((lore, other), (other, lore), (lore, other)), 1):
            await writes.write("world", [entry("d", f"word{version}", version=version, chunks=embedded(unit(1)))])
            result = await reads.search("world", Query(terms=(f"word{version}", "word1"), vector=unit(1)))
            assert (keyword_ids(result), vector_ids(result)) == (["d"], ["d"])
            assert result.entries["d"].version == version
        await other.write("world", [Tombstone("d", 9)])
        assert (await lore.search("world", Query(vector=unit(1)))).vector == ()


async def test_an_index_that_another_instance_dropped_or_made_anew_is_forgotten(folder: Path, lore: LoreIndex) -> None:
    async with open_lore_index(folder=folder) as other:
        await lore.create("world", embedder_id="embedder", dimensions=8)
        await lore.write("world", [entry("d", "gate", chunks=embedded(unit(1)))])
        await lore.search("world", Query(terms=("gate",)))

        await other.drop("world")
        with pytest.raises(NotFound):
            await lore.search("world", Query(terms=("gate",)))

        await other.create("world", embedder_id="another", dimensions=1)
        await other.write("world", [entry("e", "gate", chunks=(Chunk(0, 1, "k", np.ones(1, np.float32)),))])
        result = await lore.search("world", Query(terms=("gate",), vector=np.ones(1, np.float32)))
        assert (keyword_ids(result), vector_ids(result)) == (["e"], ["e"])


async def test_instances_may_open_a_new_folder_at_once(folder: Path) -> None:
    async with AsyncExitStack() as stack:
        opened = [stack.enter_async_context(open_lore_index(folder=folder)) for _ in range(8)]
        for each in await asyncio.gather(*opened):
            await each.create("world", embedder_id="embedder", dimensions=8)


async def test_everything_is_there_after_a_restart(folder: Path) -> None:
    async with open_lore_index(folder=folder) as lore:
        await lore.create("world", embedder_id="embedder", dimensions=8)
        await lore.write("world", [entry(f"d{n}", "gate", chunks=embedded(unit(1, n))) for n in range(5)])
        await lore.write("world", [entry("d0", "tower", version=2), Tombstone("d1", 2)])
        before = await lore.search("world", Query(terms=("gate", "tower"), vector=unit(1, 2)))

    async with open_lore_index(folder=folder) as lore:
        assert await lore.search("world", Query(terms=("gate", "tower"), vector=unit(1, 2))) == before


async def test_a_search_that_is_given_up_while_an_index_loads_does_not_harm_the_next(
    folder: Path, lore: LoreIndex
) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=8)
    await lore.write("world", [entry(f"d{n}", "gate", chunks=embedded(unit(1))) for n in range(2000)])
    async with open_lore_index(folder=folder) as other:
        given_up = [asyncio.create_task(other.search("world", Query(terms=("gate",)))) for _ in range(5)]
        for turns, search in enumerate(given_up):
            await asyncio.sleep(turns / 200)
            search.cancel()

        found = await asyncio.gather(*(other.search("world", Query(terms=("gate",), vector=unit(1))) for _ in range(9)))

    assert {(len(each.keyword), len(each.vector), each.document_count) for each in found} == {(50, 50, 2000)}


async def test_a_search_that_is_given_up_before_its_index_loads_does_not_block_the_next(
    lore: EmbeddedLoreIndex,
) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=8)
    await lore.write("world", [entry("d", "gate")])
    others_load = threading.Event()
    for _ in range(lore._loaders._max_workers):
        lore._loaders.submit(others_load.wait)
    given_up = asyncio.create_task(lore.search("world", Query(terms=("gate",))))
    while lore._loaders._work_queue.empty():  # noqa: ASYNC110  # an executor has no event to wait for
        await asyncio.sleep(0.001)

    given_up.cancel()
    others_load.set()

    async with asyncio.timeout(30):
        assert keyword_ids(await lore.search("world", Query(terms=("gate",)))) == ["d"]


async def test_documents_that_change_all_the_time_do_not_pile_up(lore: EmbeddedLoreIndex) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=8)
    for version in range(1, 60):
        changed = [entry(f"d{n}", f"word{version}", version=version, chunks=embedded(unit(n, 1))) for n in range(20)]
        await lore.write("world", changed)
        result = await lore.search("world", Query(terms=(f"word{version}",), vector=unit(1)))
        assert (len(result.keyword), len(result.vector), result.document_count) == (20, 20, 20)

    assert len(lore._snapshots["world"].view.vectors) < 400


def _bm25(documents: Sequence[Sequence[str]], terms: Sequence[str]) -> list[float]:
    """Of each document, as in Robertson and Zaragoza (2009) with Lucene's idf."""
    average = sum(map(len, documents)) / len(documents)
    scores = [0.0] * len(documents)
    for term in terms:
        holding = sum(term in document for document in documents)
        idf = log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for number, document in enumerate(documents):
            count = document.count(term)
            scores[number] += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(document) / average))
    return scores


def _a_world(seed: int) -> list[LoreEntry]:
    """Texts of up to 40 terms, whose lengths tantivy keeps exactly; rows enough for several blocks of a scan."""
    random = np.random.default_rng(seed)

    def words(low: int, high: int) -> list[str]:
        return [f"w{n}" for n in np.minimum(random.geometric(0.05, random.integers(low, high)), 60)]

    def vectors() -> list[Vector | None]:
        rows = random.standard_normal((random.integers(0, 120), 8)).astype(np.float32)
        return [row / np.linalg.norm(row) if random.random() < 0.9 else None for row in rows]

    return [
        entry(
            f"d{number:03}",
            " ".join(words(1, 41)),
            title=" ".join(words(0, 6)),
            kind=f"kind{random.integers(3)}",
            locale=("en", "de")[random.integers(2)],
            tags=frozenset(f"tag{n}" for n in random.integers(0, 30, 2)),
            chunks=embedded(*vectors()),
        )
        for number in range(500)
    ]


FILTERS: dict[str, tuple[Filter, Callable[[LoreEntry], bool]]] = {
    "all": (Filter(), lambda _: True),
    "half": (Filter(locale="en"), lambda each: each.locale == "en"),
    "few": (Filter(tags_any=frozenset({"tag1"})), lambda each: "tag1" in each.tags),
    "either": (
        Filter(kinds=frozenset({"kind0"}), any_of=(Filter(locale="de"), Filter(tags_all=frozenset({"tag2"})))),
        lambda each: each.kind == "kind0" and (each.locale == "de" or "tag2" in each.tags),
    ),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_keywords_agree_with_bm25_computed_by_hand(lore: LoreIndex, name: str) -> None:
    documents, (wanted, allows) = _a_world(1), FILTERS[name]
    await lore.create("world", embedder_id="embedder", dimensions=8)
    await lore.write("world", documents)
    terms = ("w1", "w7", "w23", "w55")

    result = await lore.search("world", Query(terms=terms, filter=wanted, title_weight=3.5, limit=30))

    in_text = _bm25([each.text_terms for each in documents], terms)
    in_title = _bm25([each.title_terms for each in documents], terms)
    scores = {
        each.document_id: text + 3.5 * title
        for each, text, title in zip(documents, in_text, in_title, strict=True)
        if allows(each) and text + title
    }
    expected = sorted(scores, key=lambda each: (-round(scores[each], 4), each))[:30]
    assert [hit.score for hit in result.keyword] == pytest.approx([scores[each] for each in expected], abs=2e-4)
    assert [hit.score for hit in result.keyword] == pytest.approx(
        [scores[each] for each in keyword_ids(result)], abs=2e-4
    )
    for term in terms:
        holding = [each for each in documents if term in each.text_terms or term in each.title_terms]
        assert result.document_frequency[term] == len(holding)


@pytest.mark.parametrize("name", FILTERS)
async def test_vectors_agree_with_cosines_computed_one_by_one(lore: LoreIndex, name: str) -> None:
    documents, (wanted, allows) = _a_world(2), FILTERS[name]
    await lore.create("world", embedder_id="embedder", dimensions=8)
    await lore.write("world", documents)
    removed, kept = documents[::7], [each for n, each in enumerate(documents) if n % 7]
    await lore.search("world", Query(vector=unit(1)))
    await lore.write("world", [Tombstone(each.document_id, 2) for each in removed])
    question = unit(3, -1, 2, 0.5)

    result = await lore.search("world", Query(vector=question, filter=wanted, limit=40))

    best = {}
    for each in filter(allows, kept):
        cosines = [
            (float(question @ chunk.vector), n) for n, chunk in enumerate(each.chunks) if chunk.vector is not None
        ]
        if cosines:
            best[each.document_id] = max(cosines)
    expected = sorted(best, key=lambda each: -best[each][0])[:40]
    assert [(hit.document_id, hit.chunk) for hit in result.vector] == [(each, best[each][1]) for each in expected]
    assert [hit.cosine for hit in result.vector] == pytest.approx([best[each][0] for each in expected], abs=1e-6)


@pytest.fixture
def garbage(folder: Path) -> Path:
    folder.mkdir()
    (folder / "lore.sqlite").write_bytes(b"no database" * 1000)
    return folder


async def test_a_file_that_is_no_index_says_so(garbage: Path) -> None:
    with pytest.raises(BackendUnavailable) as caught:
        async with open_lore_index(folder=garbage):
            pass

    assert caught.value.backend == "lore"


@pytest.fixture
def of_another_version(folder: Path) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "lore.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 999")
    return folder


async def test_a_file_of_another_version_is_refused(of_another_version: Path) -> None:
    with pytest.raises(BackendUnavailable, match="another version"):
        async with open_lore_index(folder=of_another_version):
            pass


async def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BackendUnavailable):
        async with open_lore_index(folder=tmp_path / "file"):
            pass


async def test_a_file_that_breaks_while_it_is_open_is_a_backend_that_does_not_answer(
    folder: Path, lore: LoreIndex
) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=8)
    with closing(sqlite3.connect(folder / "lore.sqlite")) as connection:
        connection.execute("ALTER TABLE indexes RENAME TO elsewhere")

    for call in (lore.ping(), lore.search("world", Query()), lore.write("world", [entry("d")])):
        with pytest.raises(BackendUnavailable):
            await call
