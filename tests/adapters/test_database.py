"""The state store on a SQLite file."""

import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from llmops_api.adapters.database.schema import METADATA, MIGRATIONS
from llmops_api.adapters.database.store import DatabaseStateStore, open_state_store
from llmops_api.errors import BackendUnavailable
from llmops_api.ports.state import Append, Put, StateStore
from tests.contracts.state_store import StateStoreContract

WRITER = Path(__file__).with_name("database_writer.py")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.sqlite"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[StateStore]:
    async with open_state_store(database_url=url) as opened:
        yield opened


class TestSQLite(StateStoreContract):
    pass


class TestPostgreSQL(StateStoreContract):
    """On asyncpg, which a URL that names no driver means."""

    @pytest.fixture
    def url(self, postgresql_database: str) -> str:
        return postgresql_database


class TestPostgreSQLOnPsycopg(StateStoreContract):
    @pytest.fixture
    def url(self, postgresql_database: str) -> str:
        return postgresql_database.replace("postgresql://", "postgresql+psycopg://")


async def _start_writer(url: str, name: str, count: int) -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, str(WRITER), url, name, str(count), stdout=PIPE)


async def test_what_was_acknowledged_outlives_kill_9(url: str) -> None:
    """A process killed in the middle of its writes has lost nothing that it had printed, and half-written nothing."""
    writer = await _start_writer(url, "a", 1_000_000)
    assert writer.stdout is not None
    acknowledged = [await writer.stdout.readline() for _ in range(100)]
    writer.kill()
    acknowledged += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()

    async with open_state_store(database_url=url) as store:
        records = {record.key for record in await store.list("k", limit=1_000_000)}
        events = {event.value["key"] for event in await store.read("s")}

    printed = {line.decode().strip() for line in acknowledged if line.endswith(b"\n")}
    assert len(printed) >= 100
    assert printed <= records
    assert records == events


async def test_processes_share_a_fresh_file(url: str) -> None:
    """Four that start at once migrate it once and then queue: each of their writes is there, none failed."""
    writers = [await _start_writer(url, name, 50) for name in "abcd"]
    exits = [(await writer.communicate(), writer.returncode) for writer in writers]

    assert [code for _, code in exits] == [0, 0, 0, 0]
    async with open_state_store(database_url=url) as store:
        events = await store.read("s")
        assert len(await store.list("k")) == 200
    assert [event.position for event in events] == list(range(1, 201))


async def test_a_reader_is_not_held_up_by_a_writer(store: StateStore, file: Path) -> None:
    """While another process holds the write lock, reads go on and see what was committed last."""
    await store.write(Put("k", "a", {"n": 1}))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE records SET version = 2")

    record = await store.get("k", "a")
    other.close()

    assert record is not None
    assert record.version == 1


async def test_what_was_written_is_there_when_the_store_opens_again(url: str) -> None:
    """The second opening finds the tables as they should be and the data untouched."""
    async with open_state_store(database_url=url) as store:
        await store.write(Put("k", "a", {"n": 1}), Append("s", ({"n": 2},)))

    async with open_state_store(database_url=url) as store:
        record = await store.get("k", "a")
        events = await store.read("s")

    assert record is not None
    assert record.value == {"n": 1}
    assert [event.value for event in events] == [{"n": 2}]


@pytest.mark.parametrize(("prefix", "after"), [("a%", ""), ("", "a"), ("a", "ab")])
async def test_a_list_reads_only_what_it_returns(store: StateStore, file: Path, prefix: str, after: str) -> None:
    """Prefix and page are a range of the index, and its order is the order of the answer."""
    assert isinstance(store, DatabaseStateStore)
    statements: list[str] = []
    engine = store._engines.reading.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    await store.list("k", prefix=prefix, after=after)

    with sqlite3.connect(file) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statements[-1]}", ["x"] * statements[-1].count("?"))
        plan = " ".join(row[-1] for row in rows)
    connection.close()
    assert "SEARCH records USING INDEX" in plan
    assert "key>" in plan
    assert ("key<" in plan) == bool(prefix)
    assert "TEMP B-TREE" not in plan


def test_the_migrations_end_at_the_tables_in_use(tmp_path: Path) -> None:
    """Alembic itself finds nothing to add to a migrated database, and one head that the file names agree with."""

    async def migrate() -> None:
        async with open_state_store(database_url=f"sqlite+aiosqlite:///{tmp_path}/state.sqlite"):
            pass

    asyncio.run(migrate())
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/state.sqlite")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_heads() == tuple(ScriptDirectory.from_config(config).get_heads())
    engine.dispose()


async def test_a_migration_that_fails_leaves_nothing_behind(url: str, file: Path) -> None:
    """Its tables come and go in one transaction, so that the next start begins from where this one did."""
    file.parent.mkdir()
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE events (in_the_way INTEGER)")

    with pytest.raises(BackendUnavailable):
        async with open_state_store(database_url=url):
            pass

    assert connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("events",)]
    connection.execute("DROP TABLE events")
    connection.close()
    async with open_state_store(database_url=url) as store:
        await store.write(Put("k", "a", {}))


async def test_a_database_of_a_newer_release_is_left_alone(url: str, file: Path) -> None:
    """An older release says so instead of writing into tables that it does not know."""
    async with open_state_store(database_url=url):
        pass
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(BackendUnavailable, match="newer release"):
        async with open_state_store(database_url=url):
            pass


async def test_a_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    """A folder that cannot be made, a file that is no database, a server that is not there: all are the backend `state`."""
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no database " * 1000)
    for url in (
        f"sqlite+aiosqlite:///{garbage}/state.sqlite",
        f"sqlite+aiosqlite:///{garbage}",
        "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing",
    ):
        with pytest.raises(BackendUnavailable) as raised:
            async with open_state_store(database_url=url):
                pass
        assert raised.value.backend == "state"
        assert "secret" not in raised.value.message


async def test_a_database_that_is_damaged_while_open_is_unavailable(store: StateStore, file: Path) -> None:
    """Readiness, reads and writes then say so alike."""
    _damage(file, "DROP TABLE records")

    for call in (store.ping(), store.get("k", "a"), store.write(Put("k", "a", {}))):
        with pytest.raises(BackendUnavailable):
            await call


async def test_no_value_stands_in_an_error(store: StateStore, file: Path) -> None:
    """Not even in the cause, which a log would show, when the very statement fails that carries the value."""
    _damage(file, "ALTER TABLE records RENAME COLUMN updated_at TO lost")

    with pytest.raises(BackendUnavailable) as raised:
        await store.write(Put("k", "a", {"text": "dragon"}))

    assert "INSERT" in str(raised.value.__cause__)
    assert "dragon" not in f"{raised.value} {raised.value.__cause__}"


def _damage(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    connection.execute(statement)
    connection.close()
