"""What a filter asks for, and the documents that have it: inverted lists that only grow."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmops_api.adapters.embedded.rows import DocumentRow
from llmops_api.ports.lore_index import Filter


def demands(wanted: Filter) -> Iterator[tuple[str, Collection[str]]]:
    """The filter as traits, of each of which a document must have one of the values; `any_of` comes on top."""
    for tag in wanted.tags_all:
        yield "tags", (tag,)
    for trait, values in (("tags", wanted.tags_any), ("kind", wanted.kinds), ("document_id", wanted.document_ids)):
        if values:
            yield trait, values
    if wanted.locale:
        yield "locale", (wanted.locale,)


class Column:
    """An array that only grows. `values` is what it holds so far: a view that later growth does not change."""

    def __init__(self, dtype: type[np.generic] | np.dtype[Any], *width: int) -> None:
        self._buffer: NDArray[Any] = np.empty((0, *width), dtype)
        self.values = self._buffer

    def extend(self, rows: Sequence[Any] | NDArray[Any]) -> None:
        """Amortised: the buffer grows by half."""
        start, end = len(self.values), len(self.values) + len(rows)
        if end > len(self._buffer):
            self._buffer = np.empty((max(end, end * 3 // 2), *self._buffer.shape[1:]), self._buffer.dtype)
            self._buffer[:start] = self.values
        self._buffer[start:end] = rows
        self.values = self._buffer[:end]


class Traits:
    """Which documents have a trait (`kind`, `tags`, `locale`, `document_id`), dead ones included; it only grows."""

    def __init__(self) -> None:
        self._shared: dict[tuple[str, str], Column] = {}
        self._of_id: dict[str, tuple[int, ...]] = {}

    def extend(self, rows: Iterable[tuple[int, DocumentRow]]) -> None:
        """Enter documents with the numbers they were given, higher than all before."""
        fresh = defaultdict(list)
        for number, row in rows:
            self._of_id[row.document_id] = (*self.lives(row.document_id), number)
            fresh["kind", row.body["kind"]].append(number)
            fresh["locale", row.body["locale"]].append(number)
            for tag in row.body["tags"]:
                fresh["tags", tag].append(number)
        for trait, numbers in fresh.items():
            self._shared.setdefault(trait, Column(np.int64)).extend(numbers)

    def lives(self, document_id: str) -> tuple[int, ...]:
        """All numbers that a document has had."""
        return self._of_id.get(document_id, ())

    def mask(self, trait: str, values: Iterable[str], size: int) -> NDArray[np.bool_]:
        """True for each of the first `size` documents that has the trait with any of the values."""
        mask = np.zeros(size, np.bool_)
        for value in values:
            if trait == "document_id":
                numbers = np.array(self.lives(value), np.int64)
            else:
                column = self._shared.get((trait, value))
                numbers = column.values if column else np.empty(0, np.int64)
            mask[numbers[: np.searchsorted(numbers, size)]] = True
        return mask
