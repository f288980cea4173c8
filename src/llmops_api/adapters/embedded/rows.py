"""What stands in the file of the embedded lore index: statements over one connection, within its transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, cast

import numpy as np
import orjson

from llmops_api.errors import BadInput, ConflictError, NotFound
from llmops_api.ports.lore_index import Chunk, LoreEntry, Tombstone, Vector

VECTOR = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """`generation` is the id of the newest document row of the index, 0 while there is none."""

    id: int
    embedder_id: str
    dimensions: int
    generation: int


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as it stands, or that it is `gone`. `vectors` are those of the chunks that have one, in order."""

    document_id: str
    gone: bool
    body: Mapping[str, Any]
    vectors: bytes


def find(connection: Connection, index: str) -> IndexRow:
    """Raises `NotFound`."""
    row = _find(connection, index)
    if row is None:
        raise NotFound("There is no such lore index.")
    return row


def _find(connection: Connection, index: str) -> IndexRow | None:
    sql = "SELECT id, embedder_id, dimensions, generation FROM indexes WHERE name = ?"
    row = connection.execute(sql, (index,)).fetchone()
    return IndexRow(*row) if row else None


def names(connection: Connection) -> set[str]:
    """Of all indexes."""
    return {name for (name,) in connection.execute("SELECT name FROM indexes")}


def create(connection: Connection, index: str, embedder_id: str, dimensions: int) -> None:
    """Raises `ConflictError` when it exists with other vectors."""
    row = _find(connection, index)
    if row is None:
        sql = "INSERT INTO indexes (name, embedder_id, dimensions) VALUES (?, ?, ?)"
        connection.execute(sql, (index, embedder_id, dimensions))
    elif (row.embedder_id, row.dimensions) != (embedder_id, dimensions):
        raise ConflictError("This lore index holds the vectors of another embedder.")


def drop(connection: Connection, index: str) -> None:
    """With all its documents; nothing happens when there is none."""
    connection.execute("DELETE FROM indexes WHERE name = ?", (index,))


def write(connection: Connection, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
    """Raises `NotFound`, and `BadInput` for a vector that is not of this index."""
    row = find(connection, index)
    winners = _winners(connection, row, changes)
    sql = "DELETE FROM documents WHERE index_id = ? AND document_id IN (SELECT value FROM json_each(?))"
    connection.execute(sql, (row.id, _json(list(winners))))
    for change in winners.values():
        _insert(connection, row, change)
    sql = "UPDATE indexes SET generation = (SELECT max(id) FROM documents WHERE index_id = ?1) WHERE id = ?1"
    if winners:
        connection.execute(sql, (row.id,))


def _winners(
    connection: Connection, row: IndexRow, changes: Sequence[LoreEntry | Tombstone]
) -> dict[str, LoreEntry | Tombstone]:
    """The newest change of each document, if nothing newer is stored. A document is gone *at* its tombstone's version."""
    sql = """SELECT document_id, version, gone FROM documents
             WHERE index_id = ? AND document_id IN (SELECT value FROM json_each(?))"""
    found = connection.execute(sql, (row.id, _json([each.document_id for each in changes])))
    newest = {document_id: (version, bool(gone)) for document_id, version, gone in found}
    winners = {}
    for change in changes:
        age = (change.version, isinstance(change, Tombstone))
        if age >= newest.get(change.document_id, age):
            newest[change.document_id] = age
            winners[change.document_id] = change
    return winners


def _insert(connection: Connection, row: IndexRow, change: LoreEntry | Tombstone) -> None:
    sql = """INSERT INTO documents (index_id, document_id, version, gone, body, vectors) VALUES (?, ?, ?, ?, ?, ?)"""
    if isinstance(change, Tombstone):
        connection.execute(sql, (row.id, change.document_id, change.version, True, b"", b""))
        return
    embedded = [chunk for chunk in change.chunks if chunk.vector is not None]
    blob = b"".join(packed(chunk.vector, row.dimensions).tobytes() for chunk in embedded if chunk.vector is not None)
    values = (row.id, change.document_id, change.version, False, _body(change), blob)
    document = connection.execute(sql, values).lastrowid
    sql = "INSERT OR IGNORE INTO chunk_keys (index_id, key, document, position) VALUES (?, ?, ?, ?)"
    keys = [(row.id, chunk.key, document, position) for position, chunk in enumerate(embedded) if chunk.key]
    connection.executemany(sql, keys)


def packed(vector: Vector, dimensions: int) -> Vector:
    """The vector as the file and the snapshot hold it. Raises `BadInput` when it cannot be one of this index."""
    if vector.shape != (dimensions,) or not np.isfinite(vector).all():
        raise BadInput(f"A vector of this lore index is {dimensions} finite numbers.")
    return np.ascontiguousarray(vector, VECTOR)


def versions(connection: Connection, row: IndexRow, document_ids: Sequence[str] | None) -> dict[str, int]:
    """Of the documents that are not gone."""
    sql = "SELECT document_id, version FROM documents WHERE index_id = ? AND NOT gone"
    if document_ids is None:
        return dict(connection.execute(sql, (row.id,)))
    sql += " AND document_id IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(sql, (row.id, _json(document_ids))))


def vectors(connection: Connection, row: IndexRow, keys: Sequence[str]) -> dict[str, Vector]:
    """Of the chunks with these keys, as far as there are any."""
    width = row.dimensions * VECTOR.itemsize
    sql = """SELECT chunk_keys.key, substr(documents.vectors, position * ?1 + 1, ?1)
             FROM chunk_keys JOIN documents ON documents.id = document
             WHERE chunk_keys.index_id = ?2 AND chunk_keys.key IN (SELECT value FROM json_each(?3))"""
    found = connection.execute(sql, (width, row.id, _json(keys)))
    return {key: np.frombuffer(blob, VECTOR) for key, blob in found}


def entries(connection: Connection, row: IndexRow, document_ids: Sequence[str]) -> dict[str, LoreEntry]:
    """By document id."""
    sql = """SELECT document_id, version, body FROM documents
             WHERE index_id = ? AND NOT gone AND document_id IN (SELECT value FROM json_each(?))"""
    found = connection.execute(sql, (row.id, _json(document_ids)))
    return {document_id: _entry(document_id, version, body) for document_id, version, body in found}


def changed_since(connection: Connection, row: IndexRow, generation: int) -> Iterator[DocumentRow]:
    """The documents that were written past `generation`, each once, in the order of their writing."""
    sql = "SELECT document_id, gone, body, vectors FROM documents WHERE index_id = ? AND id > ? ORDER BY id"
    for document_id, gone, body, blob in connection.execute(sql, (row.id, generation)):
        yield DocumentRow(document_id, bool(gone), {} if gone else orjson.loads(body), blob)


def _body(entry: LoreEntry) -> bytes:
    return orjson.dumps(
        {
            "title": entry.title,
            "text": entry.text,
            "kind": entry.kind,
            "tags": sorted(entry.tags),
            "locale": entry.locale,
            # One string each: eighty of them a document would take most of the time of a start.
            "title_terms": " ".join(entry.title_terms),
            "text_terms": " ".join(entry.text_terms),
            "chunks": [(each.start, each.end, each.key, each.vector is not None) for each in entry.chunks],
        }
    )


def _entry(document_id: str, version: int, body: bytes) -> LoreEntry:
    fields = cast("dict[str, Any]", orjson.loads(body))
    return LoreEntry(
        document_id,
        version,
        title=fields["title"],
        text=fields["text"],
        kind=fields["kind"],
        tags=frozenset(fields["tags"]),
        locale=fields["locale"],
        title_terms=_terms(fields["title_terms"]),
        text_terms=_terms(fields["text_terms"]),
        chunks=tuple(Chunk(start, end, key) for start, end, key, _ in fields["chunks"]),
    )


def _terms(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(" ")) if joined else ()


def _json(values: Sequence[str]) -> str:
    return orjson.dumps(values).decode()
