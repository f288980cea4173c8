"""Which lore an answer stands on, shown by a verbatim quote: found in the answer itself, since no model need be
trusted to cite."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

from llmops_api.core.retrieval import LoreHit
from llmops_api.core.sentences import spans
from llmops_api.core.terms import content_terms

SUPPORT = 0.35
"""The share that a sentence of the answer and one of the lore must have in common, by weight of their words: a
paraphrase keeps the names and the numbers."""


@dataclass(frozen=True, slots=True)
class Citation:
    """`quote` is a span of the document as it stands; `score` is the share of it that the answer repeats, 0 to 1."""

    document_id: str
    title: str
    quote: str
    score: float


def cite(answer: str, hits: Sequence[LoreHit], locale: str) -> tuple[Citation, ...]:
    """For each sentence of the answer the lore sentence that it repeats most, one a document, best first."""
    sentences = [(hit, *sentence) for hit in hits for sentence in _sentences(hit.text, locale)]
    held = [terms for _, _, terms in sentences]
    weight = _weights(held)
    best: dict[str, Citation] = {}
    for start, end in spans(answer):
        claim = frozenset(content_terms(answer[start:end], locale))
        scores = [_shared(claim, terms, weight) for terms in held]
        score = max(scores, default=0.0)
        if score >= SUPPORT:
            hit, quote, _ = sentences[scores.index(score)]
            citation = Citation(hit.document_id, hit.title, quote, round(score, 4))
            best[hit.document_id] = max(citation, best.get(hit.document_id, citation), key=lambda each: each.score)
    return tuple(sorted(best.values(), key=lambda each: -each.score))


@lru_cache(maxsize=512)
def _sentences(text: str, locale: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Each sentence of a chunk, with its terms; what players ask about is found again and again."""
    quotes = [text[start:end].strip() for start, end in spans(text)]
    return tuple((quote, frozenset(content_terms(quote, locale))) for quote in quotes)


def _weights(sentences: Sequence[frozenset[str]]) -> Counter[str]:
    """Rare words weigh more; a word that stands in no sentence weighs nothing."""
    frequency = Counter(term for terms in sentences for term in terms)
    return Counter({term: log(1 + len(sentences) / count) for term, count in frequency.items()})


def _shared(claim: frozenset[str], held: frozenset[str], weight: Counter[str]) -> float:
    """The overlap coefficient by weight; one word in common of several proves nothing."""
    common = claim & held
    if len(common) < min(2, len(claim)):
        return 0.0
    smaller = min(sum(weight[term] for term in claim), sum(weight[term] for term in held))
    return sum(weight[term] for term in common) / smaller if smaller else 0.0
