"""all-MiniLM-L6-v2 inside the process: an int8 model on onnxruntime, shipped with the package, English only."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions, disable_telemetry_events
from tokenizers import Tokenizer

from llmops_api.errors import ProviderUnavailable
from llmops_api.ports.embedding import Embedder, InputType, Vectors

PROVIDER = "minilm"
FOLDER = Path(__file__).parents[1] / "models" / "all-minilm-l6-v2-int8"
DIMENSIONS = 384
TOKENS_READ = 256
"""Upstream's own limit; what comes after it is not embedded."""
CHARACTERS_READ = 32 * TOKENS_READ
"""English has some four characters a token; without a limit the tokenizer reads ten million of them for half a minute."""
MOST_WORKERS = 8
"""In a container the count of processors is the host's."""


class MiniLM:
    """The model: one text in, one vector out, on the caller's thread; several threads may call at once."""

    def __init__(self, model: Path = FOLDER / "model.onnx") -> None:
        """Takes some 0.1 s. Raises `ProviderUnavailable` when a file is missing or broken."""
        disable_telemetry_events()  # it reports to its maker otherwise
        try:
            self._tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
            self._session = InferenceSession(model, _session_options(), providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise direct children of it, a dozen kinds
            raise ProviderUnavailable("The files of the embedder are missing or broken.", provider=PROVIDER) from error
        self._tokenizer.enable_truncation(TOKENS_READ)
        self._tokenizer.no_padding()

    def vector(self, text: str) -> NDArray[np.float32]:
        """Shape (384,), of length 1."""
        # The tokenizer refuses lone surrogates, which JSON can carry.
        readable = text[:CHARACTERS_READ].encode(errors="replace").decode()
        ids = np.array([self._tokenizer.encode(readable).ids], np.int64)
        vectors: Vectors
        (vectors,) = self._session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return vectors.reshape(DIMENSIONS)


def _session_options() -> SessionOptions:
    options = SessionOptions()
    # One thread a text and several texts at once: two workers embed a fifth more than one run on two threads.
    options.intra_op_num_threads = 1
    # Neither the arena nor the plans (one for every length seen) give memory back, and neither made it faster.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    # On x86 without VNNI the fast int8 product saturates (microsoft/onnxruntime#12088); elsewhere this changes nothing.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


class MiniLMEmbedder:
    """Embeds each text by itself.

    The scale of the int8 activations is taken from all that is in a run, so that a text's vector would depend on its
    neighbours (cosine down to .985); on a CPU batches are no faster either. Calls share the workers text by text, and
    queries have workers of their own: neither a search nor a small document waits for a long ingest.
    """

    id = "all-minilm-l6-v2-int8:fff679d9"
    dimensions = DIMENSIONS
    languages = frozenset({"en"})

    def __init__(self, model: MiniLM, executors: Mapping[InputType, Executor], workers: int) -> None:
        """`workers` is the number of threads of each executor."""
        self._model = model
        self._executors = executors
        self._workers = workers

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        vectors = np.empty((len(inputs), DIMENSIONS), np.float32)
        texts = enumerate(inputs)
        try:
            async with asyncio.TaskGroup() as lanes:
                for _ in range(min(self._workers, len(inputs))):
                    lanes.create_task(self._fill(vectors, texts, self._executors[input_type]))
        except ExceptionGroup as failures:
            raise ProviderUnavailable("The in-process embedder failed.", provider=PROVIDER) from failures
        return vectors

    async def _fill(self, vectors: Vectors, texts: Iterator[tuple[int, str]], executor: Executor) -> None:
        """Take the next text while there is one; a call never holds more than its lanes in the executor's queue."""
        loop = asyncio.get_running_loop()
        for row, text in texts:
            vectors[row] = await loop.run_in_executor(executor, self._model.vector, text)

    async def ping(self) -> None:
        await self.embed(["ping"], input_type=InputType.QUERY)


@asynccontextmanager
async def open_embedder() -> AsyncIterator[Embedder]:
    """Load the model in a thread; closing waits for the texts that are being embedded, some 20 ms."""
    model = await asyncio.to_thread(MiniLM)
    workers = min(os.cpu_count() or 1, MOST_WORKERS)
    with (
        ThreadPoolExecutor(workers, "minilm-document") as documents,
        ThreadPoolExecutor(workers, "minilm-query") as queries,
    ):
        yield MiniLMEmbedder(model, {InputType.DOCUMENT: documents, InputType.QUERY: queries}, workers)
