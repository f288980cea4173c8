"""A document of the lore as OpenSearch keeps it, and back."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from llmops_api.errors import BadInput
from llmops_api.ports.lore_index import Chunk, LoreEntry, Tombstone, Vector

VECTOR = np.dtype("<f4")

_LONGEST_ID = 512
"""Bytes of an `_id`."""

HIT_FIELDS = ["document_id", "title", "text", "kind", "tags", "locale", "title_terms", "text_terms", "chunks", "age"]


def key_of(document_id: str) -> str:
    """The `_id`; one that OpenSearch would find too long stands there as its digest."""
    encoded = document_id.encode()
    return document_id if len(encoded) <= _LONGEST_ID else f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def age_of(change: LoreEntry | Tombstone) -> int:
    """What orders the changes of a document: a document is gone *at* its tombstone's version."""
    return 2 * change.version + isinstance(change, Tombstone)


def version_of(age: int) -> int | None:
    """The version of a document of this age; None when it is gone."""
    return None if age % 2 else age // 2


def source_of(change: LoreEntry | Tombstone, dimensions: int) -> dict[str, Any]:
    """What is sent. A tombstone is a document too: what OpenSearch deletes it forgets the version of.

    Raises `BadInput` for a vector that is not of this index.
    """
    if isinstance(change, Tombstone):
        return {"document_id": change.document_id, "age": age_of(change), "gone": True}
    chunks = [_chunk(each, dimensions) for each in change.chunks]
    embedded = [each for each in change.chunks if each.vector is not None]
    return {
        "document_id": change.document_id,
        "age": age_of(change),
        "gone": False,
        "title": change.title,
        "text": change.text,
        "kind": change.kind,
        "tags": sorted(change.tags),
        "locale": change.locale,
        "title_terms": " ".join(change.title_terms),
        "text_terms": " ".join(change.text_terms),
        "chunks": chunks,
        "keys": [each.key for each in embedded],
        "packed": base64.b64encode(b"".join(_packed(each.vector) for each in embedded)).decode(),
    }


def _chunk(chunk: Chunk, dimensions: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"start": chunk.start, "end": chunk.end, "key": chunk.key}
    if chunk.vector is None:
        return fields
    check(chunk.vector, dimensions)
    return {**fields, "embedded": True, "vector": np.ascontiguousarray(chunk.vector, np.float32)}


def _packed(vector: Vector | None) -> bytes:
    return np.ascontiguousarray(vector, VECTOR).tobytes()


def check(vector: Vector, dimensions: int) -> None:
    """Raises `BadInput` for a vector that cannot be one of this index."""
    if vector.shape != (dimensions,) or not np.isfinite(vector).all():
        raise BadInput(f"A vector of this lore index is {dimensions} finite numbers.")


def entry_of(source: Mapping[str, Any]) -> LoreEntry:
    """A document that was hit, its chunks without vectors."""
    return LoreEntry(
        source["document_id"],
        source["age"] // 2,
        title=source["title"],
        text=source["text"],
        kind=source["kind"],
        tags=frozenset(source["tags"]),
        locale=source["locale"],
        title_terms=_terms(source["title_terms"]),
        text_terms=_terms(source["text_terms"]),
        chunks=tuple(Chunk(each["start"], each["end"], each["key"]) for each in source["chunks"]),
    )


def _terms(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(" ")) if joined else ()


def vectors_of(source: Mapping[str, Any], packed: str, dimensions: int) -> dict[str, Vector]:
    """The vectors of a document by chunk key."""
    rows = np.frombuffer(base64.b64decode(packed), VECTOR).reshape(-1, dimensions)
    keys = [each["key"] for each in source["chunks"] if each.get("embedded")]
    return dict(zip(keys, rows, strict=True))
