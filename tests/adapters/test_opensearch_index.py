"""The lore index on OpenSearch: what it owes to arithmetic, to other replicas, and to a cluster that refuses things."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest

from llmops_api.adapters.opensearch.index import open_lore_index
from llmops_api.errors import DocumentsRefused
from llmops_api.ports.lore_index import Chunk, Filter, LoreEntry, LoreIndex, Query, Tombstone
from tests.contracts.lore_index import DIMENSIONS, LoreIndexContract, embedded, entry, keyword_ids, unit, vector_ids


@pytest.fixture
async def lore(opensearch_url: str, opensearch_prefix: str) -> AsyncIterator[LoreIndex]:
    async with open_lore_index(url=opensearch_url, prefix=opensearch_prefix, replicas=0) as index:
        yield index


@pytest.fixture
async def replica(opensearch_url: str, opensearch_prefix: str) -> AsyncIterator[LoreIndex]:
    """The same indexes, as another process of the service sees them."""
    async with open_lore_index(url=opensearch_url, prefix=opensearch_prefix, replicas=0) as index:
        yield index


@pytest.fixture
def cluster(opensearch_url: str) -> Iterator[httpx2.Client]:
    """The hands of an operator."""
    with httpx2.Client(base_url=opensearch_url, timeout=60) as client:
        yield client


class TestOpenSearchLoreIndex(LoreIndexContract):
    pass


def _world(seed: int, count: int) -> list[LoreEntry]:
    """Documents of few words, so that many share them; with up to three chunks, some without a vector."""
    random = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(40)]
    documents = []
    for number in range(count):
        vectors = [
            unit(*random.normal(size=DIMENSIONS)) if random.random() < 0.9 else None for _ in range(random.integers(4))
        ]
        documents.append(
            entry(
                f"d{number:03}",
                " ".join(random.choice(words, random.integers(1, 30))),
                title=" ".join(random.choice(words, random.integers(0, 3))),
                kind=str(random.choice(["place", "person"])),
                tags=frozenset(random.choice(["a", "b", "c"], random.integers(3)).tolist()),
                chunks=embedded(*vectors, key=f"k{number}"),
            )
        )
    return documents


FILTERS = [Filter(), Filter(kinds=frozenset({"place"})), Filter(tags_any=frozenset("ab"), kinds=frozenset({"person"}))]


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_lists_are_those_of_the_embedded_index(
    opensearch_url: str, opensearch_prefix: str, index: LoreIndex, shards: int
) -> None:
    """The same documents, chunks and cosines; scores in the same order but for the rounding of lengths."""
    documents = _world(1, 400)
    question = Query(("w1", "w7", "nowhere"), unit(3, -1, 2, 0.5), limit=20)
    options = {"url": opensearch_url, "prefix": opensearch_prefix, "shards": shards, "replicas": 0}
    async with open_lore_index(**options) as opensearch:
        results = []
        for lore in (index, opensearch):
            await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
            await lore.write("world", documents)
            results += [await lore.search("world", Query(**_with(question, filter=wanted))) for wanted in FILTERS]

    for here, there in zip(results[:3], results[3:], strict=True):
        assert [(hit.document_id, hit.chunk) for hit in there.vector] == [
            (hit.document_id, hit.chunk) for hit in here.vector
        ]
        assert [hit.cosine for hit in there.vector] == pytest.approx([hit.cosine for hit in here.vector], abs=1e-5)
        assert keyword_ids(there)[:5] == keyword_ids(here)[:5]
        assert there.document_count == here.document_count
        assert there.document_frequency == here.document_frequency
        shared = there.entries.keys() & here.entries.keys()
        assert {each: there.entries[each] for each in shared} == {each: here.entries[each] for each in shared}


def _with(query: Query, **changes: Any) -> dict[str, Any]:
    return {name: getattr(query, name) for name in query.__dataclass_fields__} | changes


async def test_what_one_replica_writes_the_next_search_of_another_finds(lore: LoreIndex, replica: LoreIndex) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    await replica.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    for version, (writes, reads) in enumerate(((lore, replica), (replica, lore)), 1):
        await writes.write("world", [entry("d", f"word{version}", version=version, chunks=embedded(unit(1)))])
        result = await reads.search("world", Query(terms=(f"word{version}", "word1"), vector=unit(1)))
        assert (keyword_ids(result), vector_ids(result)) == (["d"], ["d"])
        assert result.entries["d"].version == version


async def test_of_replicas_that_write_at_once_the_newest_version_remains(lore: LoreIndex, replica: LoreIndex) -> None:
    """Deletions among them: a document that is gone since a version stays gone for all that came before."""
    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    changes: list[tuple[LoreIndex, list[LoreEntry | Tombstone]]] = [
        (each, [entry("kept", f"word{v}", version=v), entry("gone", "x", version=v), Tombstone("gone", 15)])
        for v, each in zip(range(1, 13), [lore, replica] * 6, strict=True)
    ]
    await asyncio.gather(*(each.write("world", change) for each, change in changes))

    assert await lore.versions("world") == {"kept": 12}
    assert (await replica.search("world", Query())).document_count == 1


async def test_a_word_that_is_longer_than_lucene_can_hold_is_left_out_of_the_search_alone(lore: LoreIndex) -> None:
    """A document is not bad for it: nobody types it, and its other words are found."""
    await lore.create("world", embedder_id="", dimensions=0)
    longest, longer, longest_of_all = "字" * 10_922, "字" * 10_923, "x" * 400_000
    await lore.write("world", [entry("d", f"gate {longest} {longer} {longest_of_all}")])

    result = await lore.search("world", Query(terms=("gate", longest, longer, longest_of_all)))

    assert keyword_ids(result) == ["d"]
    assert result.document_frequency == {"gate": 1, longest: 1, longer: 0, longest_of_all: 0}
    assert result.entries["d"].text_terms == ("gate", longest, longer, longest_of_all)


async def test_an_id_may_be_longer_than_those_of_opensearch(lore: LoreIndex) -> None:
    await lore.create("world", embedder_id="", dimensions=0)
    long = "門" * 200

    await lore.write("world", [entry(long, "gate", version=3)])

    assert keyword_ids(await lore.search("world", Query(terms=("gate",)))) == [long]
    assert await lore.versions("world", [long]) == await lore.versions("world") == {long: 3}


async def test_a_question_of_thousands_of_words_is_searched(lore: LoreIndex) -> None:
    """OpenSearch refuses a query of more than 1,024 clauses."""
    await lore.create("world", embedder_id="", dimensions=0)
    await lore.write("world", [entry("d", "w0"), entry("e", "w1999")])

    result = await lore.search("world", Query(terms=tuple(f"w{n}" for n in range(2000))))

    assert keyword_ids(result) == ["d"]
    assert (result.document_frequency["w1999"], len(result.document_frequency)) == (1, 2000)


async def test_a_filter_of_two_hundred_tags_of_two_hundred_letters_is_searched(lore: LoreIndex) -> None:
    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    tags = frozenset(f"{n}-" + "t" * 200 for n in range(200))
    await lore.write("world", [entry("d", "gate", tags=tags, chunks=embedded(unit(1)))])

    wanted = Filter(tags_any=tags, tags_all=tags, document_ids=frozenset({"d", *tags}))
    result = await lore.search("world", Query(terms=("gate",), vector=unit(1), filter=wanted))

    assert keyword_ids(result) == vector_ids(result) == ["d"]


async def test_of_a_thousand_documents_the_two_that_opensearch_refuses_are_named(
    lore: LoreIndex, opensearch_prefix: str, cluster: httpx2.Client
) -> None:
    """And the 998 others are in; the reason is OpenSearch's word for it, without lore."""
    await lore.create("world", embedder_id="", dimensions=0)
    limit = {"index.mapping.nested_objects.limit": 2}
    cluster.put(f"/{opensearch_prefix}world/_settings", json=limit).raise_for_status()
    documents = [entry(f"d{n}", f"gate w{n}", chunks=(Chunk(0, 1),) * (3 if n in {7, 600} else 2)) for n in range(1000)]

    with pytest.raises(DocumentsRefused) as caught:
        await lore.write("world", documents)

    assert set(caught.value.reasons) == {"d7", "d600"}
    assert "gate" not in str(caught.value.reasons) + caught.value.message
    assert set(await lore.versions("world")) == {each.document_id for each in documents} - {"d7", "d600"}
    assert (await lore.search("world", Query(terms=("gate",)))).document_count == 998


async def test_an_index_may_be_moved_behind_its_alias_while_it_is_searched(
    lore: LoreIndex, opensearch_prefix: str, cluster: httpx2.Client
) -> None:
    """An operator clones it and swaps; no search sees anything but the whole of it, and it is not made again."""
    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    await lore.write("world", _world(2, 100))
    alias = f"{opensearch_prefix}world"
    before = await lore.search("world", Query(("w1",), unit(1)))
    swapped = asyncio.Event()

    async def search() -> None:
        while not swapped.is_set():
            assert await lore.search("world", Query(("w1",), unit(1))) == before

    def move() -> None:
        cluster.put(f"/{alias}-1/_settings", json={"index.blocks.write": True}).raise_for_status()
        cluster.put(f"/{alias}-1/_clone/{alias}-2", json={"settings": {"index.blocks.write": None}}).raise_for_status()
        actions = [{"remove_index": {"index": f"{alias}-1"}}, {"add": {"index": f"{alias}-2", "alias": alias}}]
        cluster.post("/_aliases", json={"actions": actions}).raise_for_status()

    async with asyncio.TaskGroup() as group:
        group.create_task(search())
        await asyncio.to_thread(move)
        swapped.set()

    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    assert await lore.search("world", Query(("w1",), unit(1))) == before
    await lore.write("world", [entry("after", "after")])
    assert keyword_ids(await lore.search("world", Query(("after",)))) == ["after"]


async def test_vectors_of_many_documents_that_share_a_chunk_are_given_back(lore: LoreIndex) -> None:
    """However many hold the one key, the others are found too."""
    await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
    shared = [entry(f"s{n}", chunks=(Chunk(0, 1, "shared", unit(1)),)) for n in range(40)]
    own = [entry(f"o{n}", chunks=(Chunk(0, 1, f"own-{n}", unit(1, n)),)) for n in range(40)]
    await lore.write("world", shared + own)

    found = await lore.vectors("world", ["shared", *(f"own-{n}" for n in range(40))])

    assert len(found) == 41
    np.testing.assert_array_equal(found["own-7"], unit(1, 7))
