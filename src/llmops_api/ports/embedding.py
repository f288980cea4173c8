"""Text as vectors."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dimensions), each row of length 1, so that a dot product is the cosine."""


class InputType(StrEnum):
    """Some models embed what is searched and what searches differently."""

    DOCUMENT = "document"
    QUERY = "query"


class Embedder(Protocol):
    """`id` names the model and its build: vectors of different ids are never compared."""

    @property
    def id(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def languages(self) -> frozenset[str] | None:
        """The language codes (ISO 639-1) that it knows; None when it knows them all."""
        ...

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        """One row for each input, in order; no input, no rows. Raises `ProviderError`."""
        ...

    async def ping(self) -> None:
        """Return when it answers; raise `ProviderError` saying why not."""
        ...
