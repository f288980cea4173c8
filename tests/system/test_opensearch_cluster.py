"""Three nodes of OpenSearch, and the one that manages the cluster dies."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops_api.adapters.opensearch.index import open_lore_index
from llmops_api.ports.lore_index import LoreEntry, LoreIndex, Query
from tests.contracts.lore_index import DIMENSIONS, embedded, entry, unit
from tests.servers.opensearch import OpenSearchNode, opensearch_cluster

SIZE = 20
"""Documents of a batch."""

BEFORE, AFTER = 5, 15
"""Batches that are acknowledged before the node is killed, and from then on."""

SEARCHERS = 8


@pytest.fixture
def nodes(opensearch_jars: None, tmp_path: Path) -> Iterator[list[OpenSearchNode]]:
    with opensearch_cluster(tmp_path, 3) as nodes:
        yield nodes


async def test_no_search_fails_and_nothing_acknowledged_is_lost_when_the_cluster_manager_is_killed(
    nodes: list[OpenSearchNode],
) -> None:
    """Under a load of searches, each of which finds every document that was acknowledged before it began."""
    async with open_lore_index(url=",".join(node.url for node in nodes), shards=2, replicas=1) as lore:
        await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
        await asyncio.to_thread(nodes[0].get, "/_cluster/health?wait_for_status=green&timeout=60s")
        acknowledged: set[str] = set()
        finished = asyncio.Event()
        searchers = [asyncio.create_task(_search(lore, acknowledged, finished)) for _ in range(SEARCHERS)]
        for batch in range(BEFORE + AFTER):
            if batch == BEFORE:
                _manager(nodes).kill()
            documents = _batch(batch)
            await lore.write("world", documents)
            acknowledged |= {each.document_id for each in documents}
        finished.set()
        searches = sum(await asyncio.gather(*searchers))

        assert set(await lore.versions("world")) == acknowledged
        found = await lore.search("world", Query(("gate",), unit(1), limit=1000))
    assert {hit.document_id for hit in found.keyword} == {hit.document_id for hit in found.vector} == acknowledged
    assert searches >= SEARCHERS


def _manager(nodes: list[OpenSearchNode]) -> OpenSearchNode:
    elected = nodes[0].get("/_cat/cluster_manager?format=json")[0]["node"]
    return next(node for node in nodes if node.name == elected)


def _batch(number: int) -> list[LoreEntry]:
    return [entry(f"d{number}-{n}", "gate", chunks=embedded(unit(1, number))) for n in range(SIZE)]


async def _search(lore: LoreIndex, acknowledged: set[str], finished: asyncio.Event) -> int:
    """How often it searched."""
    searches = 0
    while not finished.is_set():
        expected = set(acknowledged)
        result = await lore.search("world", Query(("gate",), unit(1), limit=1000))
        assert expected <= {hit.document_id for hit in result.keyword}
        assert expected <= {hit.document_id for hit in result.vector}
        searches += 1
    return searches
