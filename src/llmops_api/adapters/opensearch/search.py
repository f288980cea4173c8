"""One search of a lore index: all its parts in one `_msearch`, and the answer put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from llmops_api.adapters.opensearch import queries
from llmops_api.adapters.opensearch.cluster import Cluster, Refused, ndjson
from llmops_api.adapters.opensearch.documents import entry_of
from llmops_api.ports.lore_index import KeywordHit, LoreEntry, Query, SearchResult, VectorHit

_DECIMALS = 4
"""Of a BM25 score: the last bits of a 32-bit sum depend on the order of its terms and would decide ties."""

_MARGIN = 10
"""Hits past the limit that are asked for, so that equals at the limit are seen, and scores that differ by rounding."""

_MOST = 10_000
_TRIES = 5
"""For parts that saw one state of the index; writers that are quicker than that are many."""


async def search(cluster: Cluster, alias: str, query: Query, **how: str) -> SearchResult:
    """`how` are search parameters of OpenSearch's own. Raises `Refused` and `BackendUnavailable`."""
    asked, tries = query.limit + _MARGIN, _TRIES
    while True:
        answer = await _ask(cluster, alias, query, asked, how)
        tries -= 1
        if answer.of_one_state or not tries:
            if not answer.cut_between_equals(query.limit) or asked >= _MOST:
                return answer.result(query)
            asked, tries = asked * 4, _TRIES


async def _ask(cluster: Cluster, alias: str, query: Query, asked: int, how: Mapping[str, str]) -> "_Answer":
    parts = {"statistics": queries.statistics(query.terms)}
    if query.terms and query.limit > 0:
        parts["keyword"] = queries.keywords(query, asked)
    if query.vector is not None and query.limit > 0:
        parts["vector"] = queries.nearest(query.vector, query.filter, asked)
    # All parts ask the same copy of each shard, and none is content with some of the shards.
    header = {"preference": uuid4().hex, "allow_partial_search_results": False, **how}
    lines = ndjson(line for body in parts.values() for line in (header, body))
    answers = await cluster.ask("POST", f"/{alias}/_msearch", lines, read=_all)
    return _Answer(dict(zip(parts, answers, strict=True)), asked)


def _all(answer: Any) -> list[Any]:
    """The answers to the parts, or an error for them all: a lasting one before those that pass."""
    answers: list[Any] = answer["responses"]
    failed = [Refused.of(each["status"], each["error"]) for each in answers if "error" in each]
    for each in sorted(failed, key=lambda error: error.passing):
        raise each
    return answers


@dataclass(frozen=True, slots=True)
class _Answer:
    """The parts by name; each list was asked for `asked` hits."""

    parts: Mapping[str, Any]
    asked: int

    @property
    def of_one_state(self) -> bool:
        """Whether no write came between the parts."""
        return len({part["aggregations"]["all"]["age"]["value"] for part in self.parts.values()}) == 1

    def cut_between_equals(self, limit: int) -> bool:
        """Whether documents that were not asked for might be as near as the last one within the limit.

        Keyword hits come in the order of their ids where scores are equal; vector hits cannot be made to.
        """
        cosines = [negative for negative, *_ in map(_vector_rank, self._hits("vector"))]
        return len(cosines) >= self.asked and cosines[-1] == cosines[limit - 1]

    def result(self, query: Query) -> SearchResult:
        keyword = [KeywordHit(name, -score) for score, name in sorted(map(_keyword_rank, self._hits("keyword")))]
        vector = [
            VectorHit(name, -cosine, chunk) for cosine, name, chunk in sorted(map(_vector_rank, self._hits("vector")))
        ]
        keyword, vector = keyword[: query.limit], vector[: query.limit]
        found = {hit.document_id for hit in keyword} | {hit.document_id for hit in vector}
        everything = self.parts["statistics"]["aggregations"]["all"]
        return SearchResult(
            tuple(keyword),
            tuple(vector),
            entries=self._entries(found),
            document_count=everything["living"]["doc_count"],
            document_frequency=self._frequencies(query.terms),
            generation=int(everything["age"]["value"]),
        )

    def _hits(self, part: str) -> Sequence[Any]:
        hits: Sequence[Any] = self.parts[part]["hits"]["hits"] if part in self.parts else ()
        return hits

    def _entries(self, found: set[str]) -> dict[str, LoreEntry]:
        sources = {
            hit["_source"]["document_id"]: hit["_source"] for part in ("vector", "keyword") for hit in self._hits(part)
        }
        return {each: entry_of(sources[each]) for each in found}

    def _frequencies(self, terms: Sequence[str]) -> dict[str, int]:
        if not terms:
            return {}
        counted = self.parts["statistics"]["aggregations"]["terms"]["buckets"]
        return {term: counted[str(number)]["doc_count"] for number, term in enumerate(terms)}


def _keyword_rank(hit: Any) -> tuple[float, str]:
    """Negative score, document id: the best sort first."""
    return -round(hit["_score"], _DECIMALS), hit["_source"]["document_id"]


def _vector_rank(hit: Any) -> tuple[float, str, int]:
    """Negative cosine, document id, chunk. OpenSearch's score is (1 + cosine) / 2."""
    best = hit["inner_hits"]["chunks"]["hits"]["hits"][0]
    return 1 - 2 * hit["_score"], hit["_source"]["document_id"], best["_nested"]["offset"]
