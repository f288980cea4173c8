"""Text embeddings of Amazon Titan and Cohere, by InvokeModel."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from llmops_api.adapters.bedrock.client import ping
from llmops_api.adapters.bedrock.failures import PROVIDER, garbled, translated
from llmops_api.ports.embedding import InputType, Vectors
from llmops_api.settings import WrongSetting

_CALLS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Titan:
    """Bedrock user guide, "Amazon Titan Text Embeddings V2": one text a call, and both types are embedded alike."""

    dimensions: int
    batch: int = 1
    languages: frozenset[str] | None = None

    def body(self, inputs: Sequence[str], input_type: InputType) -> dict[str, Any]:  # noqa: ARG002 - see the class
        return {"inputText": inputs[0], "dimensions": self.dimensions, "normalize": True}

    def rows(self, answer: Any) -> Any:
        return [answer["embedding"]]


@dataclass(frozen=True, slots=True)
class Cohere:
    """Bedrock user guide, "Cohere Embed v3" and "v4": 96 texts a call, what is too long loses its end.

    `sized`: the model is told how long its vectors shall be, as v4 can be.
    """

    dimensions: int
    sized: bool
    languages: frozenset[str] | None = None
    batch: int = 96

    def body(self, inputs: Sequence[str], input_type: InputType) -> dict[str, Any]:
        asked = {"texts": list(inputs), "input_type": f"search_{input_type}", "embedding_types": ["float"]}
        if self.sized:
            return {**asked, "output_dimension": self.dimensions, "truncate": "RIGHT"}
        return {**asked, "truncate": "END"}

    def rows(self, answer: Any) -> Any:
        return answer["embeddings"]["float"]


Shape = Titan | Cohere
"""How a family of models is asked: `batch` texts at most a call, for vectors of so many `dimensions`."""


def shape_of(model: str, dimensions: int | None) -> Shape:
    """How the model of this id, inference profile or ARN is asked. Raises `WrongSetting` when it is not known here."""
    match model:
        case _ if "titan-embed-text-v2" in model:
            return Titan(_one_of((1024, 512, 256), dimensions))
        case _ if "cohere.embed-v4" in model:
            return Cohere(_one_of((1536, 1024, 512, 256), dimensions), sized=True)
        case _ if "cohere.embed-multilingual-v3" in model:
            return Cohere(_one_of((1024,), dimensions), sized=False)
        case _ if "cohere.embed-english-v3" in model:
            return Cohere(_one_of((1024,), dimensions), sized=False, languages=frozenset({"en"}))
    raise WrongSetting(
        "LLMOPS_EMBEDDER=bedrock needs LLMOPS_EMBEDDER_MODEL with the id, inference profile or ARN of one of "
        "amazon.titan-embed-text-v2, cohere.embed-v4, cohere.embed-multilingual-v3 and cohere.embed-english-v3."
    )


def _one_of(offered: Sequence[int], wanted: int | None) -> int:
    if wanted is not None and wanted not in offered:
        choices = " or ".join(str(each) for each in offered)
        raise WrongSetting(f"LLMOPS_BEDROCK__EMBEDDING_DIMENSIONS must be {choices} for this model, not {wanted}.")
    return wanted or offered[0]


class BedrockEmbedder:
    """Vectors of one model, brought to length 1; at most 16 calls of it run at once."""

    def __init__(self, client: Any, model: str, shape: Shape) -> None:
        self.id = f"{PROVIDER}:{model}:{shape.dimensions}"
        self.dimensions = shape.dimensions
        self.languages = shape.languages
        self._client = client
        self._model = model
        self._shape = shape
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        batches = [inputs[start : start + self._shape.batch] for start in range(0, len(inputs), self._shape.batch)]
        try:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(self._call(batch, input_type)) for batch in batches]
        except ExceptionGroup as failures:
            # The first has ended the others; the caller's manners know single errors.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__
        empty: Vectors = np.empty((0, self.dimensions), dtype=np.float32)
        return np.concatenate([empty, *(call.result() for call in calls)])

    async def ping(self) -> None:
        await ping(self._client)

    async def _call(self, batch: Sequence[str], input_type: InputType) -> Vectors:
        body = orjson.dumps(self._shape.body(batch, input_type))
        async with self._places:
            with translated():
                answer = await self._client.invoke_model(
                    modelId=self._model, body=body, contentType="application/json", accept="application/json"
                )
                async with answer["body"] as stream:
                    rows = self._shape.rows(orjson.loads(await stream.read()))
                vectors: Vectors = np.asarray(rows, dtype=np.float32)
        return self._unit(vectors, len(batch))

    def _unit(self, vectors: Vectors, count: int) -> Vectors:
        if vectors.shape != (count, self.dimensions):
            raise garbled(f"other than {count} vectors of {self.dimensions} numbers")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(lengths) & (lengths > 0)):
            raise garbled("a vector without a direction")
        unit: Vectors = vectors / lengths
        return unit
