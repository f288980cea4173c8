"""Whether the lore holds the answer to a question at all: told before any model is asked, from what a search found."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmops_api.core.ranking import Ranked, term_weights
from llmops_api.ports.lore_index import SearchResult

_CONSIDERED = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    in_lore: bool
    score: float
    cosine: float | None
    passage: float
    unknown: float


def judge(
    question: str, locale: str, result: SearchResult, ranked: Sequence[Ranked], *, threshold: float | None = None
) -> Verdict:
    cosine = result.vector[0].cosine if result.vector else None
    weights = term_weights(result)
    passage = max((each.passage for each in ranked[:_CONSIDERED]), default=0.0)
    unknown = sum(weights[t] for t in weights if not result.document_frequency[t])
    score = (cosine or 0) + 0.28 * passage - 0.28 * unknown
    return Verdict(score >= (threshold or 0.5), score, cosine, passage, unknown)
