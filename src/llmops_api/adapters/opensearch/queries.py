"""The searches that one question becomes, as OpenSearch's query language has them."""

from collections.abc import Sequence
from typing import Any

from llmops_api.adapters.opensearch.documents import HIT_FIELDS
from llmops_api.ports.lore_index import Filter, Query, Vector

_MOST_TERMS = 256
"""That are scored: each is two clauses of the 1,024 that OpenSearch allows a query, and the filter needs some."""

_MOST_HITS = 10_000
"""The window of an index."""

_LEAST_CANDIDATES = 100
"""That are looked at in the graph of vectors: below, its recall falls."""

_TERMS = ("text_terms", "title_terms")
_LIVING = {"term": {"gone": False}}
_AGE = {"age": {"sum": {"field": "age"}}}
"""With every search: the sum of all ages, tombstones' too, which grows with every change and tells states apart."""


def statistics(terms: Sequence[str]) -> dict[str, Any]:
    """How many documents there are, and how many hold each term."""
    holding = {str(number): _either_holds(term) for number, term in enumerate(terms)}
    state = {"global": {}, "aggs": {**_AGE, "living": {"filter": _LIVING}}}
    if not holding:
        return {"size": 0, "query": {"match_none": {}}, "aggs": {"all": state}}
    # Counted among those with any of the terms: the rest need no look.
    fields = [{"terms": {field: list(terms)}} for field in _TERMS]
    return {
        "size": 0,
        "query": {"bool": {"filter": [_LIVING], "should": fields, "minimum_should_match": 1}},
        "aggs": {"all": state, "terms": {"filters": {"filters": holding}}},
    }


def keywords(query: Query, size: int) -> dict[str, Any]:
    """By BM25 of the terms in the text and, weighed, in the title."""
    clauses: list[dict[str, Any]] = []
    for term in query.terms[:_MOST_TERMS]:
        clauses.append({"term": {"text_terms": {"value": term}}})
        if query.title_weight:
            clauses.append({"term": {"title_terms": {"value": term, "boost": query.title_weight}}})
    allowed = [_LIVING, *demands(query.filter)]
    return {
        **_hits(size),
        "query": {"bool": {"filter": allowed, "should": clauses, "minimum_should_match": 1}},
        "sort": ["_score", "document_id"],
    }


def nearest(vector: Vector, wanted: Filter, size: int) -> dict[str, Any]:
    """By the best chunk of each document; the filter bounds the search in the graph itself."""
    knn: dict[str, Any] = {"vector": vector.tolist(), "k": min(max(size, _LEAST_CANDIDATES), _MOST_HITS)}
    if allowed := demands(wanted):
        # Tombstones have no chunks, so they need no filter.
        knn["filter"] = {"bool": {"filter": allowed}}
    best = {"size": 1, "_source": False}
    nested = {"path": "chunks", "query": {"knn": {"chunks.vector": knn}}, "score_mode": "max", "inner_hits": best}
    return {**_hits(size), "query": {"nested": nested}}


def _hits(size: int) -> dict[str, Any]:
    aggs = {"all": {"global": {}, "aggs": _AGE}}
    return {"size": min(size, _MOST_HITS), "_source": HIT_FIELDS, "track_total_hits": False, "aggs": aggs}


def demands(wanted: Filter) -> list[dict[str, Any]]:
    """Clauses that all must hold."""
    clauses: list[dict[str, Any]] = [{"term": {"tags": tag}} for tag in sorted(wanted.tags_all)]
    for field, values in (("tags", wanted.tags_any), ("kind", wanted.kinds), ("document_id", wanted.document_ids)):
        if values:
            clauses.append({"terms": {field: sorted(values)}})
    if wanted.locale:
        clauses.append({"term": {"locale": wanted.locale}})
    if wanted.any_of:
        parts = [{"bool": {"filter": demands(part)}} for part in wanted.any_of]
        clauses.append({"bool": {"should": parts, "minimum_should_match": 1}})
    return clauses


def _either_holds(term: str) -> dict[str, Any]:
    fields = [{"term": {field: term}} for field in _TERMS]
    return {"bool": {"should": fields, "minimum_should_match": 1}}
