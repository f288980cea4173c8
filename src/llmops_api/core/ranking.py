"""Keyword and vector search fused into one ranking, each weighed by the evidence that it has for the document at hand.

Four shares between 0 and 1 speak for a document, and their weighted sum ranks it: how near its vector is, how much of
the question it holds close together, how much of it at all and how often, and how far the question names its title.
Without vectors, or without terms, the sum lacks that side. `docs/decisions/0003-retrieval.md` has the figures.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log

from llmops_api.core.terms import analyse, content_terms
from llmops_api.ports.lore_index import LoreEntry, SearchResult

_NEARNESS, _PASSAGE, _FREQUENCY, _TITLE = 1.0, 1.2, 1.5, 1.7
"""The weights of the four shares."""

_PASSAGE_TERMS = 40
"""A few sentences: words of the question that stand further apart do not belong together."""

_LEAST_SPREAD = 0.1
"""Cosines that lie closer together than this say little for the first against the last."""

_QUOTED = 20
"""Documents from the top whose best chunk is looked for when no vector names it; nobody reads further."""

_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document, and why it stands where it does. Ranks start at 1, None where that side did not find it.

    `chunk` is the number of its best chunk. `passage` is the share of the question's weight, by the rarity of its
    words, that a few sentences of it hold.
    """

    document_id: str
    chunk: int
    fused: float
    keyword_rank: int | None
    vector_rank: int | None
    cosine: float | None
    passage: float


@dataclass(frozen=True, slots=True)
class _Words:
    """What the words of the question say for one document; each 0 to 1."""

    passage: float = 0.0
    frequency: float = 0.0
    title: float = 0.0


def rank(question: str, locale: str, result: SearchResult) -> list[Ranked]:  # noqa: ARG001 - the index has its terms
    """Everything that either side found, best first."""
    weights = term_weights(result)
    words = _words(result, weights, locale)
    nearness = _nearness(result)
    fused = {
        each: _NEARNESS * nearness.get(each, 0.0)
        + _PASSAGE * said.passage
        + _FREQUENCY * said.frequency
        + _TITLE * said.title
        for each, said in words.items()
    }
    keyword_ranks = {hit.document_id: position for position, hit in enumerate(result.keyword, 1)}
    vector_ranks = {hit.document_id: position for position, hit in enumerate(result.vector, 1)}
    hits = {hit.document_id: hit for hit in result.vector}
    ranked = []
    for position, each in enumerate(sorted(fused, key=lambda document_id: -fused[document_id])):
        hit = hits.get(each)
        chunk = hit.chunk if hit else _best_chunk(result.entries[each], weights) if position < _QUOTED else 0
        ranked.append(
            Ranked(
                document_id=each,
                chunk=chunk,
                fused=fused[each],
                keyword_rank=keyword_ranks.get(each),
                vector_rank=vector_ranks.get(each),
                cosine=hit.cosine if hit else None,
                passage=words[each].passage,
            )
        )
    return ranked


def term_weights(result: SearchResult) -> dict[str, float]:
    """The share of each query term in what the question asks, by its rarity (BM25's idf); they add up to 1."""
    count = result.document_count
    rarity = {term: log(1 + (count - n + 0.5) / (n + 0.5)) for term, n in result.document_frequency.items()}
    total = sum(rarity.values())
    return {term: value / total for term, value in rarity.items()} if total else {}


def _nearness(result: SearchResult) -> dict[str, float]:
    """Where each cosine lies between the last and the first of the list: embedders differ in their scale."""
    if not result.vector:
        return {}
    first, last = result.vector[0].cosine, result.vector[-1].cosine
    spread = max(first - last, _LEAST_SPREAD)
    return {hit.document_id: 1 - (first - hit.cosine) / spread for hit in result.vector}


def _words(result: SearchResult, weights: Mapping[str, float], locale: str) -> dict[str, _Words]:
    found = [hit.document_id for hit in result.keyword] + [hit.document_id for hit in result.vector]
    entries = {each: result.entries[each] for each in found}
    if not weights:
        return dict.fromkeys(entries, _Words())
    mean = sum(len(entry.text_terms) for entry in entries.values()) / len(entries) if entries else 1.0
    return {
        each: _Words(
            passage=_passage(entry, weights),
            frequency=_frequency(entry, weights, mean),
            title=_title(entry, weights, locale),
        )
        for each, entry in entries.items()
    }


def _passage(entry: LoreEntry, weights: Mapping[str, float]) -> float:
    """The weight of the terms in the best window of the text, the title taken as said before each."""
    titled = weights.keys() & set(entry.title_terms)
    places = [(i, term) for i, term in enumerate(entry.text_terms) if term in weights and term not in titled]
    inside: Counter[str] = Counter()
    held = best = 0.0
    first = 0
    for place, term in places:
        held += 0 if inside[term] else weights[term]
        inside[term] += 1
        while place - places[first][0] >= _PASSAGE_TERMS:
            left = places[first][1]
            inside[left] -= 1
            held -= 0 if inside[left] else weights[left]
            first += 1
        best = max(best, held)
    return sum(weights[term] for term in titled) + best


def _frequency(entry: LoreEntry, weights: Mapping[str, float], mean_length: float) -> float:
    """BM25 over the whole text, without the bonus that the index gives to titles."""
    counts = Counter(term for term in entry.text_terms if term in weights)
    length = _K1 * (1 - _B + _B * len(entry.text_terms) / mean_length) if mean_length else _K1
    return sum(weights[term] * count / (count + length) for term, count in counts.items())


def _title(entry: LoreEntry, weights: Mapping[str, float], locale: str) -> float:
    """The weight of the question that the title holds, less (squared) the more of the title is not in the question.

    "Red Dragon" is named by "how old is the red dragon", "Red Dragon Mask" hardly, "Dragon" in part.
    """
    title = _title_words(entry.title, locale)
    named = title & weights.keys()
    return sum(weights[term] for term in named) * (len(named) / len(title)) ** 2 if title else 0.0


@lru_cache(maxsize=8192)
def _title_words(title: str, locale: str) -> frozenset[str]:
    return frozenset(content_terms(title, locale) or analyse(title, locale))


def _best_chunk(entry: LoreEntry, weights: Mapping[str, float]) -> int:
    """The chunk that holds most of the question; the earlier of equals."""
    if len(entry.chunks) < 2 or not weights:
        return 0
    held = [
        sum(weights[term] for term in weights.keys() & set(analyse(entry.text[chunk.start : chunk.end], entry.locale)))
        for chunk in entry.chunks
    ]
    return held.index(max(held))
