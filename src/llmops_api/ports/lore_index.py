"""The lore index: keywords, vectors and filters in one query. It holds what can be found; the documents themselves,
as writers gave them, are records of the state store, from which any index can be built again.

An index holds the vectors of one embedder. It returns two ranked lists and the statistics that our own ranking
(`core/ranking.py`) needs; it does not fuse them, so that every technology ranks alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""Shape (dimensions,), length 1."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text[start:end]` of its document, in code points. No vector: it is found by keywords alone.

    `key` is the digest of the very string that was embedded: equal keys under one embedder, equal vectors.
    """

    start: int
    end: int
    key: str = ""
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class LoreEntry:
    """A document as the index keeps it. `version` only grows: an older one never replaces a newer.

    `title_terms` and `text_terms` are already analysed (`core/terms.py`): the index compares them as they are.
    """

    document_id: str
    version: int
    title: str
    text: str
    kind: str = ""
    tags: frozenset[str] = frozenset()
    locale: str = ""
    title_terms: tuple[str, ...] = ()
    text_terms: tuple[str, ...] = ()
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A document that is gone since `version`."""

    document_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What may be found. Every part that is not empty must hold; of `any_of`, one filter at the least."""

    tags_any: frozenset[str] = frozenset()
    tags_all: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    document_ids: frozenset[str] = frozenset()
    locale: str = ""
    any_of: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """No `terms`: no keyword search. No `vector`: no vector search. `limit` is the length of each list."""

    terms: tuple[str, ...] = ()
    vector: Vector | None = None
    filter: Filter = field(default_factory=Filter)
    limit: int = 50
    title_weight: float = 6.0


@dataclass(frozen=True, slots=True)
class KeywordHit:
    """`score` is BM25 (k1 1.2, b 0.75) over the whole text plus `title_weight` times that over the title."""

    document_id: str
    score: float


@dataclass(frozen=True, slots=True)
class VectorHit:
    """The best chunk of a document; `chunk` is its number in `LoreEntry.chunks`."""

    document_id: str
    cosine: float
    chunk: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Both lists, best first, one hit a document; the entries of all that were hit (chunks without vectors).

    `document_count` and `document_frequency` (of each query term, in title or text) count the whole index, whatever
    the filter. `generation` grows with every change of the index.
    """

    keyword: tuple[KeywordHit, ...] = ()
    vector: tuple[VectorHit, ...] = ()
    entries: Mapping[str, LoreEntry] = field(default_factory=dict)
    document_count: int = 0
    document_frequency: Mapping[str, int] = field(default_factory=dict)
    generation: int = 0


class LoreIndex(Protocol):
    """Every failure to reach the technology is a `BackendUnavailable`; an index that is not there is `NotFound`."""

    async def create(self, index: str, *, embedder_id: str, dimensions: int) -> None:
        """Make an empty index; one that exists with the same embedder stays as it is, with another: `ConflictError`."""
        ...

    async def drop(self, index: str) -> None:
        """Remove an index with all it holds; one that is not there is no error."""
        ...

    async def write(self, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
        """Add, replace or remove whole documents, durably; the next search knows. Older versions are passed over."""
        ...

    async def versions(self, index: str, document_ids: Sequence[str] | None = None) -> Mapping[str, int]:
        """The version of each document that can be found, of all of them without `document_ids`."""
        ...

    async def vectors(self, index: str, keys: Sequence[str]) -> Mapping[str, Vector]:
        """The vectors that it holds for these chunk keys, so that nothing is embedded twice."""
        ...

    async def search(self, index: str, query: Query) -> SearchResult:
        """Keywords and vectors over the documents that the filter allows."""
        ...

    async def ping(self) -> None:
        """Return when the technology answers; raise `BackendUnavailable` saying why not."""
        ...
