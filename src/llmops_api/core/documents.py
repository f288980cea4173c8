"""Lore documents as writers give them, and as the lore index keeps them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from llmops_api.core.chunking import split
from llmops_api.core.terms import analyse, language_of
from llmops_api.ports.lore_index import Chunk, LoreEntry, Vector
from llmops_api.ports.state import Record


@dataclass(frozen=True, slots=True)
class Document:
    """What a writer gave. `importance` is 1 to 5; an empty `locale` is the world's."""

    id: str
    title: str
    text: str
    kind: str = ""
    tags: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    importance: int = 3
    locale: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    @classmethod
    def of(cls, record: Record, world_id: str) -> "Document":
        value = {**record.value, "tags": tuple(record.value["tags"]), "keys": tuple(record.value["keys"])}
        return cls(id=record.key.removeprefix(f"{world_id}/"), version=record.version, **value)

    @property
    def fields(self) -> dict[str, Any]:
        """The record's value: all but the id and the version."""
        value = asdict(self) | {"tags": list(self.tags), "keys": list(self.keys)}
        return {name: item for name, item in value.items() if name not in {"id", "version"}}

    def matches(self, tag: str | None, kind: str | None, q: str | None) -> bool:
        """Has this tag, is of this kind, holds `q` in its title or id; None asks for nothing."""
        named = q is None or q.casefold() in self.title.casefold() or q.casefold() in self.id.casefold()
        return named and tag in {None, *self.tags} and kind in {None, self.kind}


@dataclass(frozen=True, slots=True)
class ChunkText:
    """`embedded` is what the vector stands for: the title in front, since a chunk alone rarely names its subject."""

    start: int
    end: int
    embedded: str

    @property
    def key(self) -> str:
        return hashlib.sha256(self.embedded.encode()).hexdigest()


def chunks_of(document: Document) -> list[ChunkText]:
    """The document in pieces that an embedder takes whole."""
    return [
        ChunkText(start, end, f"{document.title}\n{document.text[start:end]}") for start, end in split(document.text)
    ]


def entry_of(document: Document, locale: str, vectors: Mapping[str, Vector]) -> LoreEntry:
    """The index's view of a document in a world of this locale; a chunk whose key is not in `vectors` is found by
    keywords alone."""
    own = document.locale or locale
    return LoreEntry(
        document_id=document.id,
        version=document.version,
        title=document.title,
        text=document.text,
        kind=document.kind,
        tags=frozenset(document.tags),
        locale=language_of(own),
        title_terms=_terms(document.title, own, locale),
        text_terms=_terms("\n".join((document.title, *document.keys, document.text)), own, locale),
        chunks=tuple(Chunk(each.start, each.end, each.key, vectors.get(each.key)) for each in chunks_of(document)),
    )


def _terms(text: str, own: str, locale: str) -> tuple[str, ...]:
    """In its own language and, beside each word that differs there, in the world's: whoever asks without saying in
    which language does so in the world's."""
    terms = analyse(text, own)
    if language_of(own) == language_of(locale):
        return terms
    pairs = zip(terms, analyse(text, locale), strict=True)
    return tuple(term for pair in pairs for term in dict.fromkeys(pair))


def entries_of(documents: Sequence[Document], locale: str, vectors: Mapping[str, Vector]) -> list[LoreEntry]:
    """One entry a document; some 20 ms of work for 64 of them, so a thread's business."""
    return [entry_of(document, locale, vectors) for document in documents]
