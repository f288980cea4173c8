"""The state store on PostgreSQL: every URL, a server that goes away and comes back, several processes at once."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from llmops_api.adapters.database import engine
from llmops_api.adapters.database.store import open_state_store
from llmops_api.errors import BackendUnavailable
from llmops_api.ports.state import Append, Put, StateStore
from llmops_api.settings import WrongSetting
from tests.servers.postgresql import PostgreSQL

WRITER = Path(__file__).with_name("database_writer.py")
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
DRIVERS = ["postgresql", "postgresql+asyncpg", "postgresql+psycopg"]


@pytest.fixture(params=DRIVERS[1:])
def url(request: pytest.FixtureRequest, postgresql_database: str) -> str:
    """On either driver."""
    return _on(request.param, postgresql_database)


@pytest.fixture
async def store(url: str) -> AsyncIterator[StateStore]:
    async with open_state_store(database_url=url) as opened:
        yield opened


def _on(driver: str, url: str) -> str:
    return sa.make_url(url).set(drivername=driver).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> list[tuple[object, ...]]:
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(_on("postgresql", url), autocommit=True, options=options) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_the_parameters_of_a_url_reach_the_server(driver: str, postgresql_database: str) -> None:
    """`sslmode` is taken by either driver, and what is for the server arrives there."""
    url = f"{_on(driver, postgresql_database)}?sslmode=disable&connect_timeout=3&application_name=ember"
    async with open_state_store(database_url=url) as store:
        await store.write(Put("k", "a", {}))
        names = _execute(url.partition("?")[0], "SELECT DISTINCT application_name FROM pg_stat_activity")

    assert ("ember",) in names


async def test_an_encrypted_connection_is_never_replaced_by_a_bare_one(url: str) -> None:
    """The server speaks no TLS: whoever asks for it is told that there is no connection."""
    with pytest.raises(BackendUnavailable):
        async with open_state_store(database_url=f"{url}?sslmode=require"):
            pass


@pytest.mark.parametrize(
    "url", ["postgresql://u:geheim@127.0.0.1/x?keepalives=1", "mysql://u:geheim@127.0.0.1/x", "geheim", "oracle"]
)
async def test_a_url_that_cannot_be_used_is_a_wrong_setting(url: str) -> None:
    """The sentence names the setting, and repeats no password."""
    with pytest.raises(WrongSetting, match="LLMOPS_DATABASE_URL") as raised:
        async with open_state_store(database_url=url):
            pass
    assert "geheim" not in str(raised.value)


async def test_processes_share_an_empty_database(url: str) -> None:
    """Four that start at once migrate it once and then queue: each of their writes is there, none failed."""
    command = [sys.executable, str(WRITER), url]
    writers = [await asyncio.create_subprocess_exec(*command, name, "25", stdout=PIPE) for name in "abcd"]
    exits = [(await writer.communicate(), writer.returncode) for writer in writers]

    assert [code for _, code in exits] == [0, 0, 0, 0]
    async with open_state_store(database_url=url) as store:
        events = await store.read("s")
        assert len(await store.list("k")) == 100
    assert [event.position for event in events] == list(range(1, 101))


async def test_connections_that_were_cut_while_nobody_used_them_are_noticed_by_nobody(
    store: StateStore, url: str
) -> None:
    """As after a restart or behind a load balancer: the very next calls succeed, reads and writes, many at once."""
    await asyncio.gather(*(store.write(Append("s", ({},))) for _ in range(20)), *(store.read("s") for _ in range(20)))
    for write in (True, False):
        _execute(url, CUT)
        calls = [store.write(Append("s", ({},))) if write else store.read("s") for _ in range(40)]
        await asyncio.gather(*calls)

    assert len(await store.read("s")) == 60


@pytest.mark.parametrize("driver", DRIVERS[1:])
@pytest.mark.parametrize("end", [PostgreSQL.stop, PostgreSQL.kill], ids=["stopped", "killed"])
async def test_a_server_that_ends_is_unavailable_until_it_is_back(
    stoppable_postgresql: PostgreSQL, driver: str, end: Callable[[PostgreSQL], None]
) -> None:
    """Nothing needs to be opened anew, and nothing that was acknowledged is lost."""
    async with open_state_store(database_url=_on(driver, stoppable_postgresql.url)) as store:
        await store.write(Put("k", "a", {"n": 1}))
        end(stoppable_postgresql)
        for call in (store.ping(), store.get("k", "a"), store.write(Put("k", "b", {}))):
            with pytest.raises(BackendUnavailable):
                await call
        stoppable_postgresql.start()

        await store.write(Put("k", "c", {}))
        assert [record.key for record in await store.list("k")] == ["a", "c"]


@pytest.mark.parametrize("driver", DRIVERS[1:])
async def test_a_server_that_hangs_is_unavailable_until_it_goes_on(
    stoppable_postgresql: PostgreSQL, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call waits for ever, and a write that was given up is there wholly or not at all."""
    monkeypatch.setattr(engine, "WAIT_SECONDS", 0.5)
    async with open_state_store(database_url=_on(driver, stoppable_postgresql.url)) as store:
        await store.write(Put("k", "a", {}))
        stoppable_postgresql.freeze()
        for call in (store.get("k", "a"), store.write(Put("k", "b", {}), Append("s", ({},)))):
            with pytest.raises(BackendUnavailable):
                await call
        stoppable_postgresql.thaw()

        await store.write(Put("k", "c", {}))
        assert (await store.get("k", "b") is None) == (await store.read("s") == [])


async def test_a_server_that_became_a_replica_is_left_behind(store: StateStore, url: str) -> None:
    """Its connections answer reads, but refuse writes: the pool turns to where the name now leads."""
    await store.write(Put("k", "a", {}))
    name = sa.make_url(url).database
    _execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _execute(url, CUT)
    with pytest.raises(BackendUnavailable):
        await store.write(Put("k", "b", {}))
    _execute(url, f"ALTER DATABASE {name} RESET default_transaction_read_only")

    await store.write(Put("k", "b", {}))
