"""One way from a question to the lore that answers it: search, rank, and say whether the lore holds the answer at all."""

import logging
from dataclasses import dataclass
from enum import StrEnum

from llmops_api.core.gate import Verdict, judge
from llmops_api.core.ranking import Ranked, rank
from llmops_api.core.terms import content_terms, language_of
from llmops_api.core.worlds import IndexRef, World, Worlds
from llmops_api.errors import NotFound, ProviderError
from llmops_api.ports.embedding import Embedder, InputType
from llmops_api.ports.lore_index import Filter, LoreEntry, LoreIndex, Query, SearchResult, Vector

EVERYTHING = Filter()

log = logging.getLogger(__name__)


class Mode(StrEnum):
    HYBRID = "hybrid"
    KEYWORD = "keyword"
    VECTOR = "vector"


@dataclass(frozen=True, slots=True)
class LoreHit:
    """A document by its best chunk: `text`, verbatim. Ranks start at 1."""

    document_id: str
    title: str
    text: str
    kind: str
    tags: frozenset[str]
    score: float
    keyword_rank: int | None
    vector_rank: int | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """`in_lore` is the gate's verdict; `lore_version` names the state of the lore that it stands on."""

    hits: tuple[LoreHit, ...]
    in_lore: bool
    lore_version: str
    verdict: Verdict


class Retriever:
    """Reads a world's live index."""

    def __init__(self, index: LoreIndex, embedder: Embedder | None, worlds: Worlds) -> None:
        self._index = index
        self._embedder = embedder
        self._worlds = worlds

    async def search(
        self,
        world: World,
        query: str,
        *,
        filter: Filter = EVERYTHING,
        limit: int = 5,
        mode: Mode = Mode.HYBRID,
        locale: str | None = None,
    ) -> Retrieved:
        """The best documents first. Raises `BackendUnavailable`; in vector mode `ProviderError` too."""
        locale = locale or world.locale
        try:
            live, result = await self._found(world, query, filter, mode, locale)
        except NotFound:
            # A re-index has just swapped: the next look at the pointer sees the new index.
            live, result = await self._found(world, query, filter, mode, locale)
        ranked = rank(locale, result)
        verdict = judge(query, locale, result, ranked, threshold=world.gate_threshold)
        hits = tuple(_hit(each, result.entries[each.document_id]) for each in ranked[:limit])
        return Retrieved(hits, verdict.in_lore, f"{live.name}.{result.generation}", verdict)

    async def _found(
        self,
        world: World,
        query: str,
        filter: Filter,
        mode: Mode,
        locale: str,
    ) -> tuple[IndexRef, SearchResult]:
        live = (await self._worlds.pointer(world.id)).live
        terms = () if mode is Mode.VECTOR else content_terms(query, locale)
        vector = None if mode is Mode.KEYWORD else await self._vector(query, live, mode, locale)
        return live, await self._index.search(live.name, Query(terms, vector, filter))

    async def _vector(self, query: str, live: IndexRef, mode: Mode, locale: str) -> Vector | None:
        """None where vectors cannot help: another embedder made the index, or ours does not know the language."""
        embedder = self._embedder
        if embedder is None or live.embedder_id != embedder.id:
            return None
        if embedder.languages is not None and language_of(locale) not in embedder.languages:
            return None
        try:
            vectors = await embedder.embed([query], input_type=InputType.QUERY)
        except ProviderError:
            if mode is Mode.VECTOR:
                raise
            log.warning("the embedder does not answer; searching by keywords alone")
            return None
        vector: Vector = vectors[0]
        return vector


def _hit(ranked: Ranked, entry: LoreEntry) -> LoreHit:
    chunk = entry.chunks[ranked.chunk]
    return LoreHit(
        document_id=entry.document_id,
        title=entry.title,
        text=entry.text[chunk.start : chunk.end],
        kind=entry.kind,
        tags=entry.tags,
        score=ranked.fused,
        keyword_rank=ranked.keyword_rank,
        vector_rank=ranked.vector_rank,
        cosine=ranked.cosine,
    )
