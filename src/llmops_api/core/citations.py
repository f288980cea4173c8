"""Which lore an answer stands on, shown by a verbatim quote: found in the answer itself, since no model need be
trusted to cite."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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
    """For each hit that the answer draws on, the sentence that it draws on most; best first."""
    claims = [terms for start, end in spans(answer) if (terms := frozenset(content_terms(answer[start:end], locale)))]
    sentences = [(hit, hit.text[start:end].strip()) for hit in hits for start, end in spans(hit.text)]
    held = [frozenset(content_terms(sentence, locale)) for _, sentence in sentences]
    weight = _weights(held)
    best: dict[str, Citation] = {}
    for (hit, sentence), terms in zip(sentences, held, strict=True):
        score = round(max((_shared(claim, terms, weight) for claim in claims), default=0.0), 4)
        if score >= SUPPORT and (hit.document_id not in best or score > best[hit.document_id].score):
            best[hit.document_id] = Citation(hit.document_id, hit.title, sentence, score)
    return tuple(sorted(best.values(), key=lambda each: -each.score))


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
