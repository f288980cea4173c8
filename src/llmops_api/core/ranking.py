"""Keyword and vector search fused into one ranking, each weighed by the evidence that it has for the document at hand.

Four shares between 0 and 1 speak for a document, and their weighted sum ranks it: how near its vector is, how much of
the question it holds close together, how much of it at all and how often, and how far the question names its title.
Without vectors, or without terms, the sum lacks that side. `docs/decisions/0003-retrieval.md` has the figures.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from math import log

from llmops_api.core.terms import analyse, content_terms
from llmops_api.ports.lore_index import LoreEntry, SearchResult

_WINDOW_TERMS = 40
"""A few sentences: words of the question that stand further apart do not belong together."""

_LEAST_SPREAD = 0.1
"""Cosines that lie closer together than this say little for the first against the last."""

_QUOTED = 20
"""Documents from the top whose best chunk is looked for when no vector names it; nobody reads further."""

_MENDED = 5
"""Letters of the shortest word whose misspelling is mended."""

_K1, _B = 1.2, 0.75


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a document, each 0 to 1, words weighed by their rarity.

    `nearness` places its cosine between the last of the list and the first. `coverage` is the share of the question that
    a few sentences of it hold, `frequency` BM25 without the index's bonus for titles, `title` how far the question names
    its title.
    """

    nearness: float = 0.0
    coverage: float = 0.0
    frequency: float = 0.0
    title: float = 0.0

    def weighed(self, weights: "Evidence") -> float:
        """The weighted sum."""
        return (
            weights.nearness * self.nearness
            + weights.coverage * self.coverage
            + weights.frequency * self.frequency
            + weights.title * self.title
        )


WEIGHTS = Evidence(nearness=1.0, coverage=1.2, frequency=1.5, title=1.7)
"""Rounded from a fit on three worlds (`bench/retrieval_quality.py --fit`)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A document, and why it stands where it does. `chunk` is the number of its best chunk.

    Ranks start at 1, None where that side did not find it. `fused` is the weighted sum of the evidence.
    """

    document_id: str
    chunk: int
    fused: float
    keyword_rank: int | None
    vector_rank: int | None
    cosine: float | None
    evidence: Evidence


def rank(locale: str, result: SearchResult) -> list[Ranked]:
    """Everything that either side found, best first."""
    weights = term_weights(result)
    evidence = _evidence(result, weights, locale)
    fused = {each: found.weighed(WEIGHTS) for each, found in evidence.items()}
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
                evidence=evidence[each],
            )
        )
    return ranked


def term_weights(result: SearchResult) -> dict[str, float]:
    """The share of each query term in what the question asks, by its rarity (BM25's idf); they add up to 1.

    A term that stands nowhere gives way to a word in the title of something found that is spelt almost like it.
    """
    count = result.document_count
    rarity: dict[str, float] = {}
    for term, n in result.document_frequency.items():
        meant = term if n else _respelt(term, result)
        rarity[meant] = max(log(1 + (count - n + 0.5) / (n + 0.5)), rarity.get(meant, 0.0))
    total = sum(rarity.values())
    return {term: value / total for term, value in rarity.items()} if total else {}


def _respelt(term: str, result: SearchResult) -> str:
    """The term, or that of a title one slip of the finger away; short words are too alike for that."""
    if len(term) < _MENDED:
        return term
    found = [hit.document_id for hit in result.vector] + [hit.document_id for hit in result.keyword]
    titled = (word for each in found for word in result.entries[each].title_terms)
    return next((word for word in titled if len(word) >= _MENDED and _one_slip(term, word)), term)


def _one_slip(one: str, other: str) -> bool:
    """A letter too many, too few or another, or two exchanged (Damerau); the first letter is seldom wrong."""
    if one[0] != other[0] or abs(len(one) - len(other)) > 1:
        return False
    start = _alike(one, other)
    one, other = one[start:][::-1], other[start:][::-1]
    end = _alike(one, other)
    one, other = one[end:], other[end:]
    return max(len(one), len(other)) < 2 or (len(one) == len(other) == 2 and one == other[::-1])


def _alike(one: str, other: str) -> int:
    """How many letters two words begin with alike."""
    return next(
        (i for i, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )


def _nearness(result: SearchResult) -> dict[str, float]:
    """Where each cosine lies between the last and the first of the list: embedders differ in their scale."""
    if not result.vector:
        return {}
    first, last = result.vector[0].cosine, result.vector[-1].cosine
    spread = max(first - last, _LEAST_SPREAD)
    return {hit.document_id: 1 - (first - hit.cosine) / spread for hit in result.vector}


def _evidence(result: SearchResult, weights: Mapping[str, float], locale: str) -> dict[str, Evidence]:
    nearness = _nearness(result)
    entries = {hit.document_id: result.entries[hit.document_id] for hit in result.keyword} | {
        hit.document_id: result.entries[hit.document_id] for hit in result.vector
    }
    if not weights:
        return {each: Evidence(nearness=nearness.get(each, 0.0)) for each in entries}
    mean_length = sum(len(entry.text_terms) for entry in entries.values()) / max(len(entries), 1)
    found: dict[str, Evidence] = {}
    for each, entry in entries.items():
        places = [(i, term) for i, term in enumerate(entry.text_terms) if term in weights]
        length = len(entry.text_terms) / mean_length if mean_length else 1.0
        found[each] = Evidence(
            nearness=nearness.get(each, 0.0),
            coverage=_coverage(places, weights.keys() & set(entry.title_terms), weights),
            frequency=_frequency(places, length, weights),
            title=_title(entry, weights, locale),
        )
    return found


def _coverage(places: Sequence[tuple[int, str]], titled: AbstractSet[str], weights: Mapping[str, float]) -> float:
    """The weight of the terms in the best window of the text, those of the title taken as said in each."""
    inside: Counter[str] = Counter(titled)
    held = best = sum(weights[term] for term in titled)
    first = 0
    for place, term in places:
        held += 0 if inside[term] else weights[term]
        inside[term] += 1
        while place - places[first][0] >= _WINDOW_TERMS:
            left = places[first][1]
            inside[left] -= 1
            held -= 0 if inside[left] else weights[left]
            first += 1
        best = max(best, held)
    return min(best, 1.0)


def _frequency(places: Sequence[tuple[int, str]], length: float, weights: Mapping[str, float]) -> float:
    """BM25's saturation over the whole text, whose `length` is in mean lengths."""
    norm = _K1 * (1 - _B + _B * length)
    counts = Counter(term for _, term in places)
    return sum(weights[term] * count / (count + norm) for term, count in counts.items())


def _title(entry: LoreEntry, weights: Mapping[str, float], locale: str) -> float:
    """The weight of the question that the title holds, less (squared) the more of the title is not in the question.

    "Red Dragon" is named by "how old is the red dragon", "Red Dragon Mask" hardly, "Dragon" in part.
    """
    title = _title_words(entry.title, entry.locale or locale)
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
