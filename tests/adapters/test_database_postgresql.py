"""The state store on PostgreSQL, when `LLMOPS_TEST_POSTGRES_URL` names a database that may be emptied."""

import os
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from tests.contracts.state_store import StateStoreContract

from llmops_api.adapters.database import DatabaseStateStore, open_state_store
from llmops_api.ports.state import StateStore

URL = os.environ.get("LLMOPS_TEST_POSTGRES_URL", "")
if not URL:
    pytest.skip("LLMOPS_TEST_POSTGRES_URL names no PostgreSQL database to test on", allow_module_level=True)


class TestPostgreSQL(StateStoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[StateStore]:
        async with open_state_store(database_url=URL) as opened:
            assert isinstance(opened, DatabaseStateStore)
            async with opened._engines.writing.begin() as connection:
                await connection.execute(sa.text("TRUNCATE records, events"))
            yield opened
