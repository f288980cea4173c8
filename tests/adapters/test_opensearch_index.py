"""The lore index on OpenSearch: what it owes to a cluster that others share, restart, and refuse things on."""

import uuid
from collections.abc import AsyncIterator

import pytest

from llmops_api.adapters.opensearch.index import open_lore_index
from llmops_api.ports.lore_index import LoreIndex
from tests.contracts.lore_index import LoreIndexContract


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}-"


@pytest.fixture
async def lore(opensearch_url: str, prefix: str) -> AsyncIterator[LoreIndex]:
    async with open_lore_index(url=opensearch_url, prefix=prefix, replicas=0) as index:
        yield index


class TestOpenSearchLoreIndex(LoreIndexContract):
    pass
