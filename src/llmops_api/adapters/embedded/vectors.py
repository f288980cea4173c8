"""The vector list of a search in an embedded lore index: exact cosines with every chunk that the filter allows."""

import os
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from llmops_api.adapters.embedded.snapshot import View
from llmops_api.adapters.embedded.traits import demands
from llmops_api.ports.lore_index import Filter, Vector, VectorHit

_LEAST = 16_384
"""Fewer rows than this, under a millisecond of work at 384 dimensions, are not worth another thread."""

_FEW = 0.2
"""Share of a block's rows below which copying the allowed ones together beats comparing all."""

_FORBIDDEN = np.float32(-np.inf)
"""In place of the cosine of a row that the filter excludes."""


class VectorScan:
    """Compares a vector with all rows of a view, a block for each core: in `threads` and in the one that asks for the hits."""

    def __init__(self, view: View, vector: Vector, wanted: Filter, threads: Executor) -> None:
        """Begin; the vector has the dimensions of the view."""
        self._view = view
        self._vector = vector
        self._allowed = _allowed_rows(view, wanted)
        self._cosines = np.empty(len(view.vectors), np.float32)
        self._block = max(_LEAST, -(-len(view.vectors) // (os.cpu_count() or 1)))
        self._others = [threads.submit(self._compare, at) for at in range(self._block, len(view.vectors), self._block)]

    def hits(self, limit: int) -> tuple[VectorHit, ...]:
        """The best chunk of each of the best documents; of equals, the lesser document id first."""
        self._compare(0)
        for other in self._others:
            other.result()
        if limit < 1 or not len(self._cosines):
            return ()
        found = sorted(self._hit(row) for row in self._leaders(limit).tolist())
        best: dict[str, VectorHit] = {}
        for negative, document_id, chunk in found:
            best.setdefault(document_id, VectorHit(document_id, -negative, chunk))
        return tuple(best.values())[:limit]

    def _hit(self, row: int) -> tuple[float, str, int]:
        """Negative cosine, document id, chunk: the best sort first."""
        view = self._view
        return -float(self._cosines[row]), view.ids[view.owners[row]], int(view.chunks[row])

    def _leaders(self, limit: int) -> NDArray[np.int64]:
        """The rows that are as near as the `limit`-th document or nearer."""
        documents = np.maximum.reduceat(self._cosines, self._view.starts)
        last = np.partition(documents, -limit)[-limit] if len(documents) > limit else _FORBIDDEN
        return np.flatnonzero((self._cosines >= last) & (self._cosines > _FORBIDDEN))

    def _compare(self, start: int) -> None:
        # Not `@`: BLAS splits that among all cores, which then wait for each other, and rounds equal rows unequally.
        block = slice(start, start + self._block)
        vectors, cosines = self._view.vectors[block], self._cosines[block]
        allowed = None if self._allowed is None else self._allowed[block]
        if allowed is None or np.count_nonzero(allowed) >= _FEW * len(allowed):
            np.vecdot(vectors, self._vector, out=cosines)
            if allowed is not None:
                cosines[~allowed] = _FORBIDDEN
        else:
            cosines[:] = _FORBIDDEN
            cosines[allowed] = np.vecdot(vectors[allowed], self._vector)


def _allowed_rows(view: View, wanted: Filter) -> NDArray[np.bool_] | None:
    """None: all of them."""
    if wanted == Filter() and view.count == len(view.alive):
        return None
    rows: NDArray[np.bool_] = (view.alive & _allowed(view, wanted))[view.owners]
    return rows


def _allowed(view: View, wanted: Filter) -> NDArray[np.bool_]:
    """By document number, whether dead or alive."""
    size = len(view.alive)
    mask = np.ones(size, np.bool_)
    for trait, values in demands(wanted):
        mask &= view.traits.mask(trait, values, size)
    if wanted.any_of:
        mask &= np.logical_or.reduce([_allowed(view, part) for part in wanted.any_of])
    return mask
