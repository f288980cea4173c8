"""The fits behind the constants of `core/ranking.py` and `core/gate.py`; each world is judged by what the others taught."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from llmops_api.core.gate import Verdict
from llmops_api.core.ranking import Ranked

Array = NDArray[np.float64]
NOWHERE = 999
ROUNDS = 400


@dataclass(frozen=True, slots=True)
class Searched:
    """A question, what was found for it, and the gate's verdict."""

    question: str
    gold: frozenset[str]
    ranked: tuple[Ranked, ...]
    verdict: Verdict

    @property
    def place(self) -> int:
        """Where the first right document stands, from 1."""
        return place([each.document_id for each in self.ranked], self.gold)


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on one world, or on a part of it with `size` documents."""

    world: str
    size: int
    searched: tuple[Searched, ...]


def place(order: Sequence[str], gold: frozenset[str]) -> int:
    return next((i for i, each in enumerate(order, 1) if each in gold), NOWHERE)


def fit_ranking(worlds: Mapping[str, Sequence[Searched]]) -> None:
    """The weights of the evidence: the likelihood of the right document among all that were found."""
    print("\nranking: weights from the other worlds (nearness, coverage, frequency, title)")
    rows = {
        name: [(evidence(each), right(each), each) for each in searched if right(each).any()]
        for name, searched in worlds.items()
    }
    everything = [row for each in rows.values() for row in each]
    for name, own in rows.items():
        weights = softmax_fit([row for other, each in rows.items() if other != name for row in each] or own)
        places = [place(reordered(each, shares @ weights), each.gold) for shares, _, each in own]
        asked = sum(bool(each.gold) for each in worlds[name])
        hits = [sum(at <= limit for at in places) / asked for limit in (1, 5)]
        print(f"{name:14} hit@1 {hits[0]:.3f}  hit@5 {hits[1]:.3f}  {np.round(weights / weights[0], 2)}")
    weights = softmax_fit(everything)
    print(f"{'all':14} {np.round(weights / weights[0], 2)}")


def evidence(searched: Searched) -> Array:
    return np.array([astuple(each.evidence) for each in searched.ranked]).reshape(-1, 4)


def right(searched: Searched) -> NDArray[np.bool_]:
    return np.array([each.document_id in searched.gold for each in searched.ranked])


def reordered(searched: Searched, scores: Array) -> list[str]:
    return [searched.ranked[i].document_id for i in np.argsort(-scores, kind="stable")]


def softmax_fit(rows: Sequence[tuple[Array, NDArray[np.bool_], Searched]]) -> Array:
    """By gradient ascent, with a light pull towards zero."""
    weights = np.ones(4)
    for _ in range(ROUNDS):
        gradient = -0.02 * weights
        for shares, is_right, _ in rows:
            chances = softmax(shares @ weights)
            wanted = np.where(is_right, chances, 0.0)
            gradient = gradient + shares.T @ (wanted / wanted.sum() - chances)
        weights = weights + 8.0 * gradient / len(rows)
    return weights


def softmax(scores: Array) -> Array:
    powers: Array = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def fit_gate(judged: Sequence[Judged], mode: str) -> None:
    """The gate's logistic regression, and what it does to worlds that took no part in it."""
    print(f"\ngate, {mode}: weights from the other worlds (cosine, coverage, unknown, unknown name, log size, bias)")
    for name in dict.fromkeys(each.world for each in judged):
        weights = logistic_fit([each for each in judged if each.world != name] or judged)
        for own in (each for each in judged if each.world == name):
            wrongly = refused(own, weights, lambda each: bool(each.gold))
            rightly = refused(own, weights, lambda each: not each.gold)
            print(f"{name:14} {own.size:5} documents: refuses {rightly:.3f}, wrongly {wrongly:.3f}")
    print(f"{'all':14} {np.round(logistic_fit(judged), 2)}")


def refused(judged: Judged, weights: Array, wanted: Callable[[Searched], bool]) -> float:
    rows = np.array([signals(each.verdict, judged.size) for each in judged.searched if wanted(each)])
    return float(np.mean(rows @ weights < 0))


def signals(verdict: Verdict, size: int) -> tuple[float, ...]:
    cosine = verdict.cosine or 0.0
    return (cosine, verdict.coverage, verdict.unknown, float(verdict.unknown_name), log(size), 1.0)


def logistic_fit(judged: Sequence[Judged]) -> Array:
    """By Newton's method; every world or part counts alike, and in it answerable questions as much as the others."""
    rows, answered, weight = [], [], []
    for each in judged:
        counts = {kind: sum(bool(one.gold) is kind for one in each.searched) for kind in (True, False)}
        for one in each.searched:
            rows.append(signals(one.verdict, each.size))
            answered.append(bool(one.gold))
            weight.append(5 / len(judged) / counts[bool(one.gold)])
    signal, truth, share = np.array(rows), np.array(answered, float), np.array(weight)
    scale = signal.std(axis=0)
    scale[scale == 0] = 1.0
    signal = signal / scale
    pull = np.diag([0.02] * (signal.shape[1] - 1) + [0.0])
    weights = np.zeros(signal.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-signal @ weights))
        gradient = signal.T @ (share * (chance - truth)) + pull @ weights
        weights -= np.linalg.solve((signal * (share * chance * (1 - chance))[:, None]).T @ signal + pull, gradient)
    return np.asarray(weights / scale)
