"""The file of the embedded lore index: its tables, and transactions for any number of threads and processes.

Every write of a document is a row with a new id, and ids only grow: "what has changed since" is a range of ids.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from llmops_api.errors import BackendUnavailable

_FORMAT = 1
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    embedder_id TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id INTEGER NOT NULL REFERENCES indexes ON DELETE CASCADE,
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    body BLOB NOT NULL,
    vectors BLOB NOT NULL,
    UNIQUE (index_id, document_id)
);
CREATE INDEX IF NOT EXISTS documents_of_index ON documents (index_id, id);
CREATE TABLE IF NOT EXISTS chunk_keys (
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    PRIMARY KEY (index_id, key, document)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chunk_keys_of_document ON chunk_keys (document);
PRAGMA user_version = {_FORMAT};
COMMIT;
"""


class LoreFile:
    """The file and the connections to it, one for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of_thread = threading.local()
        self._open: list[sqlite3.Connection] = []

    def prepare(self) -> None:
        """Make the folder and the tables. Raises `BackendUnavailable`."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BackendUnavailable("The folder of the lore index cannot be made.", backend="lore") from error
        with _translated(), closing(self._connect()) as connection:
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found not in {0, _FORMAT}:
                raise BackendUnavailable("The lore index was made by another version of the service.", backend="lore")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the file, whoever writes meanwhile. Raises `BackendUnavailable`."""
        with _translated(), _transaction(self._connection(), "BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is durable when the block has ended, and undone when it raised."""
        with _translated(), _transaction(self._connection(), "BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close every connection; no thread may use one any more."""
        while self._open:
            self._open.pop().close()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._connect()
            self._open.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        # Closed by another thread than the one that used it, hence no check.
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BackendUnavailable(f"The file of the lore index does not answer: {error}.", backend="lore") from error


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    connection.execute(begin)
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
