"""The keyword list of a search in an embedded lore index, and how many documents hold a term."""

from collections.abc import Sequence
from typing import Any

from tantivy import Occur
from tantivy import Query as Clause

from llmops_api.adapters.embedded.snapshot import SCHEMA, View
from llmops_api.adapters.embedded.traits import demands
from llmops_api.ports.lore_index import Filter, KeywordHit, Query

_DECIMALS = 4
"""Of a BM25 score: the last bits of a 32-bit sum depend on the order of its terms and would decide ties."""


def keyword_hits(view: View, query: Query) -> tuple[KeywordHit, ...]:
    """By BM25 of the terms in the text and, weighed, in the title; of equals, the lesser document id first."""
    if not query.terms or query.limit < 1:
        return ()
    found = _with_ties(view, _clause(query), query.limit)
    numbers = view.searcher.fast_field_values("number", [address for _, address in found])
    scored = zip(found, numbers, strict=True)
    ranked = sorted((-round(score, _DECIMALS), view.ids[int(number or 0)]) for (score, _), number in scored)
    return tuple(KeywordHit(document_id, -score) for score, document_id in ranked[: query.limit])


def frequency(view: View, term: str) -> int:
    """How many documents have the term in title or text."""
    found = view.frequencies.get(term)
    if found is None:
        fields = [(Occur.Should, Clause.term_query(SCHEMA, name, term)) for name in ("text", "title")]
        result = view.searcher.search(Clause.boolean_query(fields), 1)
        found = int(result.count)  # type: ignore[attr-defined]  # missing in tantivy's stub
        # Unknown words are as many as players invent, and cost nothing to look up.
        if found:
            view.frequencies[term] = found
    return found


def _with_ties(view: View, clause: Clause, limit: int) -> Sequence[tuple[Any, Any]]:
    """The best `limit` scores with their places in the index, and all further ones that equal the last of them."""
    asked = limit + 1
    while True:
        found = view.searcher.search(clause, asked, count=False).hits
        if len(found) < asked or round(found[-1][0], _DECIMALS) < round(found[limit - 1][0], _DECIMALS):
            return found
        asked *= 4


def _clause(query: Query) -> Clause:
    clauses = [(Occur.Should, Clause.term_query(SCHEMA, "text", term)) for term in query.terms]
    for term in query.terms if query.title_weight else ():
        in_title = Clause.term_query(SCHEMA, "title", term)
        clauses.append((Occur.Should, Clause.boost_query(in_title, query.title_weight)))
    must = _must(query.filter)
    if not must:
        return Clause.boolean_query(clauses)
    unscored = Clause.const_score_query(Clause.boolean_query(must), 0.0)
    return Clause.boolean_query([(Occur.Must, unscored), *clauses], 1)


def _must(wanted: Filter) -> list[tuple[Occur, Clause]]:
    must = [(Occur.Must, Clause.term_set_query(SCHEMA, trait, list(values))) for trait, values in demands(wanted)]
    if wanted.any_of:
        parts = [Clause.boolean_query(_must(part) or [(Occur.Must, Clause.all_query())]) for part in wanted.any_of]
        must.append((Occur.Must, Clause.boolean_query([(Occur.Should, part) for part in parts])))
    return must
