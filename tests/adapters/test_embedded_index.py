"""The embedded lore index: what it owes to its file, its processes and its arithmetic."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contracts.lore_index import LoreIndexContract

from llmops_api.adapters.embedded_index import open_lore_index
from llmops_api.ports.lore_index import LoreIndex


@pytest.fixture
async def lore(tmp_path: Path) -> AsyncIterator[LoreIndex]:
    async with open_lore_index(folder=tmp_path / "lore") as index:
        yield index


class TestEmbeddedLoreIndex(LoreIndexContract):
    """The contract; the fixture above supplies the index."""
