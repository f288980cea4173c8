"""Whether the lore holds the answer to a question at all, told from what a search found before any model is asked."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

from llmops_api.core.ranking import Ranked, term_weights
from llmops_api.core.terms import content_terms, language_of
from llmops_api.ports.lore_index import SearchResult

DEFAULT_THRESHOLD = 0.5
"""Even odds. Judged by weights from other worlds it refused 87 to 98 % of what three worlds do not hold, and 0 to 8 % of
what they do (docs/decisions/0003-retrieval.md); a world may carry its own (`llmops-api calibrate`)."""

_CONSIDERED = 5
"""Documents from the top that an answer would be written from."""

_NO_WORDS = 0.5
"""The coverage when there was no search by words: nothing said for or against."""

_MEASURED_SIZES = (64, 2000)
"""Documents; the best of more has a higher cosine by chance, but beyond what was measured nothing is assumed."""

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[.!?。！？]")
_NOUNS_CAPITALISED = frozenset({"de", "lb"})


@dataclass(frozen=True, slots=True)
class _Weights:
    """A logistic regression; `size` is by the logarithm of the number of documents."""

    cosine: float
    coverage: float
    unknown: float
    unknown_name: float
    size: float
    bias: float


_HYBRID = _Weights(cosine=14.8, coverage=3.5, unknown=-3.0, unknown_name=-3.9, size=-1.12, bias=-0.6)
_KEYWORD = _Weights(cosine=0.0, coverage=6.2, unknown=-3.5, unknown_name=-3.6, size=-0.65, bias=1.9)
"""Rounded from fits on three worlds and parts of them (`bench/retrieval_quality.py --fit`); the cosines are MiniLM's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score` is 0 to 1, `in_lore` when it reaches the threshold; the rest is what it was made of.

    `cosine` is the best one, None without vectors. `coverage` is the most that a few sentences of one of the first
    documents hold of the question, `unknown` the part of it that stands nowhere in the lore; both are shares of its
    words, weighed by their rarity. `unknown_name`: a name is among what is unknown.
    """

    in_lore: bool
    score: float
    cosine: float | None
    coverage: float
    unknown: float
    unknown_name: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """The score of a question of which it is known whether the lore answers it."""

    score: float
    answered: bool


@dataclass(frozen=True, slots=True)
class TradeOff:
    """What a threshold does: the share of answerable questions refused, and of unanswerable ones refused."""

    threshold: float
    false_refusals: float
    refusals: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold chosen, what it does to the samples, and what others would have done."""

    chosen: TradeOff
    table: tuple[TradeOff, ...]


def judge(
    question: str,
    locale: str,
    result: SearchResult,
    ranked: Sequence[Ranked],
    *,
    threshold: float | None = None,
) -> Verdict:
    """The verdict on a question from its search and its ranking; works without vectors too."""
    shares = term_weights(result)
    absent = {term for term in shares if not result.document_frequency.get(term, 1)}
    cosine = max((hit.cosine for hit in result.vector), default=None)
    coverage = max((each.evidence.coverage for each in ranked[:_CONSIDERED]), default=0.0) if shares else _NO_WORDS
    unknown = sum(shares[term] for term in absent)
    unknown_name = not absent.isdisjoint(_names(question, locale))
    weights = _KEYWORD if cosine is None else _HYBRID
    smallest, largest = _MEASURED_SIZES
    odds = (
        weights.cosine * (cosine or 0.0)
        + weights.coverage * coverage
        + weights.unknown * unknown
        + weights.unknown_name * unknown_name
        + weights.size * log(min(max(result.document_count, smallest), largest))
        + weights.bias
    )
    score = 1 / (1 + exp(-odds)) if ranked else 0.0
    wanted = DEFAULT_THRESHOLD if threshold is None else threshold
    return Verdict(score >= wanted, score, cosine, coverage, unknown, unknown_name)


def calibrate(samples: Sequence[Sample], *, false_refusals: float = 0.05) -> Calibration:
    """The threshold that refuses most at no more than this share of false refusals, in the middle of its gap.

    Raises ValueError when there is no sample that the lore answers, or none that it does not.
    """
    answered = sorted(sample.score for sample in samples if sample.answered)
    others = sorted(sample.score for sample in samples if not sample.answered)
    if not answered or not others:
        raise ValueError("calibration needs questions that the lore answers and questions that it does not")
    rates = sorted({0.0, 0.02, 0.05, 0.08, 0.12, 0.2, false_refusals})
    table = {rate: _trade_off(answered, others, rate) for rate in rates}
    return Calibration(table[false_refusals], tuple(table.values()))


def _trade_off(answered: Sequence[float], others: Sequence[float], rate: float) -> TradeOff:
    highest = answered[min(int(rate * len(answered)), len(answered) - 1)]
    refused = bisect_left(others, highest)
    threshold = (others[refused - 1] + highest) / 2 if refused else highest
    return TradeOff(threshold, bisect_left(answered, threshold) / len(answered), refused / len(others))


def _names(question: str, locale: str) -> set[str]:
    """The terms of words with a capital that no sentence begins with, where the language keeps those for names."""
    if language_of(locale) in _NOUNS_CAPITALISED or question.isupper():
        return set()
    words = _WORD.findall(question)
    names = [word for before, word in pairwise(words) if word[0].isupper() and before not in ".!?。！？"]
    return set(content_terms(" ".join(names), locale))
