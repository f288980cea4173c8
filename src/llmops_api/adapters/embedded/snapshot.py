"""The searchable side of an embedded lore index: keywords in tantivy, vectors in one NumPy matrix, both in memory.

It is derived from the rows of the file and never saved. Documents have numbers here, counted up: a replaced document
gets a new number and its old one dies, so that nothing which a search has in hand changes under it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from tantivy import Document, Index, Query, Schema, SchemaBuilder, Searcher

from llmops_api.adapters.embedded.rows import VECTOR, DocumentRow
from llmops_api.adapters.embedded.traits import Column, Traits
from llmops_api.ports.lore_index import LoreEntry

_BATCH = 1000
"""Documents that are read from the file at once: a few megabytes."""

_WRITER_MEMORY = 15_000_000
"""Bytes, tantivy's minimum. More makes fewer segments at first and slower commits ever after."""

_WASTE = 256
"""Dead documents that any index bears."""

_KEPT = 4096
"""Decoded documents that are kept at hand for each index: some 30 MB of common lore."""


def _schema() -> Schema:
    builder = SchemaBuilder()
    # `freq`: term frequencies without positions. Terms come analysed and hold no white space.
    builder.add_text_field("title", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="freq")
    for trait in ("document_id", "kind", "tags", "locale"):
        builder.add_text_field(trait, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("number", indexed=True, fast=True)
    return builder.build()


SCHEMA = _schema()


@dataclass(frozen=True, slots=True)
class View:
    """One state of an index, for any number of threads; what only grows may have run ahead of it.

    `alive`, `ids` and `kept` go by document number. `vectors` has a row for each chunk with a vector, `owners` the
    number of its document, `chunks` its own number there. The rows of a document are neighbours, from one of `starts`
    to the next.
    """

    generation: int
    searcher: Searcher
    alive: NDArray[np.bool_]
    count: int
    ids: Sequence[str]
    traits: Traits
    vectors: NDArray[np.float32]
    owners: NDArray[np.int64]
    chunks: NDArray[np.int64]
    starts: NDArray[np.int64]
    kept: dict[int, LoreEntry]
    frequencies: dict[str, int] = field(default_factory=dict)

    def entries(self, ids: Collection[str], read: Callable[[list[str]], dict[str, LoreEntry]]) -> dict[str, LoreEntry]:
        """Those documents; `read` brings the ones that are not at hand, as they are in this state of the index."""
        numbers = {each: self._number(each) for each in ids}
        found = {each: entry for each, number in numbers.items() if (entry := self.kept.get(number))}
        if missing := [each for each in ids if each not in found]:
            fresh = read(missing)
            if len(self.kept) + len(fresh) > _KEPT:
                self.kept.clear()
            self.kept.update((numbers[each], entry) for each, entry in fresh.items())
            found |= fresh
        return found

    def _number(self, document_id: str) -> int:
        return max(number for number in self.traits.lives(document_id) if number < len(self.alive))


class Snapshot:
    """What searches of one index stand on. One thread at a time may `apply`; `view` may be read by all."""

    def __init__(self, index_id: int, dimensions: int) -> None:
        self.index_id = index_id
        self._keywords = Index(SCHEMA)
        # The other policy polls: a reload then waits for its next tick, 100 ms.
        self._keywords.config_reader("manual")
        self._writer = self._keywords.writer(_WRITER_MEMORY, 1)
        self._ids: list[str] = []
        self._traits = Traits()
        self._kept: dict[int, LoreEntry] = {}
        self._vectors = Column(VECTOR, dimensions)
        self._owners = Column(np.int64)
        self._chunks = Column(np.int64)
        self._starts = Column(np.int64)
        self.view = self._look(0, np.empty(0, np.bool_))

    @property
    def wasteful(self) -> bool:
        """Whether the dead are so many that building anew pays: they cost memory, time, and exactness of BM25."""
        return len(self.view.alive) > 2 * self.view.count + _WASTE

    def apply(self, rows: Iterable[DocumentRow], generation: int) -> None:
        """Take in what was written up to `generation`. After an exception the snapshot is of no more use."""
        dead: list[int] = []
        rows = iter(rows)
        while batch := list(islice(rows, _BATCH)):
            dead += [number for row in batch for number in self._traits.lives(row.document_id)[-1:]]
            self._add([row for row in batch if not row.gone])
        if dead:
            self._writer.delete_documents_by_query(Query.term_set_query(SCHEMA, "number", dead))
        self._writer.commit()
        self._keywords.reload()
        alive = np.ones(len(self._ids), np.bool_)
        alive[: len(self.view.alive)] = self.view.alive
        alive[dead] = False
        self.view = self._look(generation, alive)

    def _add(self, rows: Sequence[DocumentRow]) -> None:
        numbered = list(enumerate(rows, len(self._ids)))
        for number, row in numbered:
            self._writer.add_document(_keyword_document(number, row))
        self._traits.extend(numbered)
        self._ids += [row.document_id for row in rows]
        self._add_vectors(numbered)

    def _add_vectors(self, numbered: Sequence[tuple[int, DocumentRow]]) -> None:
        first = len(self._vectors.values)
        owners: list[int] = []
        chunks: list[int] = []
        starts: list[int] = []
        for number, row in numbered:
            embedded = [n for n, chunk in enumerate(row.body["chunks"]) if chunk[-1]]
            starts += [first + len(chunks)] if embedded else []
            owners += [number] * len(embedded)
            chunks += embedded
        matrix = np.frombuffer(b"".join(row.vectors for _, row in numbered), VECTOR)
        self._vectors.extend(matrix.reshape(len(chunks), self._vectors.values.shape[1]))
        self._owners.extend(owners)
        self._chunks.extend(chunks)
        self._starts.extend(starts)

    def _look(self, generation: int, alive: NDArray[np.bool_]) -> View:
        return View(
            generation=generation,
            searcher=self._keywords.searcher(),
            alive=alive,
            count=int(np.count_nonzero(alive)),
            ids=self._ids,
            traits=self._traits,
            vectors=self._vectors.values,
            owners=self._owners.values,
            chunks=self._chunks.values,
            starts=self._starts.values,
            kept=self._kept,
        )


def _keyword_document(number: int, row: DocumentRow) -> Document:
    body = row.body
    fields = {
        "number": number,
        "document_id": row.document_id,
        "title": body["title_terms"],
        "text": body["text_terms"],
        "kind": body["kind"],
        "tags": body["tags"],
        "locale": body["locale"],
    }
    return Document.from_dict(fields, SCHEMA)
