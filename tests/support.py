"""Stand-ins that several tests share: real ports, made visible or controllable."""

import hashlib
from collections.abc import Sequence

import numpy as np

from llmops_api.ports.embedding import InputType, Vectors


class CountingEmbedder:
    """Deterministic vectors from the letters of a text, and a record of everything that was embedded."""

    def __init__(self, embedder_id: str = "letters", languages: frozenset[str] | None = frozenset({"en"})) -> None:
        self.id = embedder_id
        self.dimensions = 32
        self.languages = languages
        self.documents: list[str] = []

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        if input_type is InputType.DOCUMENT:
            self.documents += inputs
        rows = np.zeros((len(inputs), self.dimensions), dtype=np.float32)
        for number, text in enumerate(inputs):
            for word in text.lower().split():
                rows[number, hashlib.sha256(word.encode()).digest()[0] % self.dimensions] += 1
        rows += 1e-3
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    async def ping(self) -> None:
        pass
