"""The tables of the database as they are now, and the migrations that bring an older database there."""

import importlib
import importlib.resources
from importlib.resources.abc import Traversable

import sqlalchemy as sa

from llmops_api.adapters.database.engine import queue_for
from llmops_api.errors import BackendUnavailable

METADATA = sa.MetaData()

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared by code point on both databases: SQLite does by default, PostgreSQL is told to."""

RECORDS = sa.Table(
    "records",
    METADATA,
    sa.Column("kind", NAME, primary_key=True),
    sa.Column("key", NAME, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, comment="a JSON object; NULL: deleted, but its version is remembered"),
    sa.Column("updated_at", sa.BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
)

EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("stream", NAME, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("value", sa.Text, nullable=False, comment="a JSON object"),
    sa.Column("recorded_at", sa.BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
)

MIGRATIONS = "llmops_api:migrations"


def migrate(connection: sa.Connection) -> None:
    """Bring the tables to the newest revision, inside the caller's transaction, which other processes wait for."""
    queue_for(connection, ["alembic_version"])
    current, newest = _current(connection), _newest()
    if current > newest:
        raise BackendUnavailable(
            "A newer release has written this database: run that one, or a backup.", backend="state"
        )
    if current < newest:
        _upgrade(connection)


def _current(connection: sa.Connection) -> str:
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.scalar(sa.text("SELECT version_num FROM alembic_version")) or ""


def _newest() -> str:
    """Read off the file names (`0001_what_it_does.py`), since asking Alembic would cost every start a quarter second."""
    versions = importlib.resources.files("llmops_api").joinpath("migrations", "versions")
    return max(_revision(file) for file in versions.iterdir())


def _revision(file: Traversable) -> str:
    revision, _, _ = file.name.partition("_")
    return revision if revision.isdecimal() else ""


def _upgrade(connection: sa.Connection) -> None:
    command, config = importlib.import_module("alembic.command"), importlib.import_module("alembic.config").Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
