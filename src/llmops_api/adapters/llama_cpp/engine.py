"""llama.cpp in this process: a few lanes of threads in front of one model, and a line of callers in front of the lanes."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from xllamacpp import CommonParams, Server

from llmops_api.adapters.llama_cpp.settings import LlamaCppSettings
from llmops_api.settings import WrongSetting

_TOKENS_A_STEP = 128
"""Of a prompt. Between two steps an answer can be stopped and other lanes get their next token; 512 were no faster."""

_PROMPT_CACHE_MIB = 1024
"""Memory for prompts that have left their lane, so that characters who take turns keep their personas read."""

_QUIET, _INFORMATIVE = 0, 3

log = logging.getLogger(__name__)


class Refused(Exception):
    """llama.cpp does not take the request. Its own words may quote what a player said, so they are left out."""


class Engine:
    """Answers chat completions, `parallel` at a time, in the order in which they were asked."""

    def __init__(self, server: Server, parallel: int) -> None:
        self._server = server
        self._threads = ThreadPoolExecutor(parallel, "llama-cpp")
        self._lanes = asyncio.Semaphore(parallel)
        self._running: set[_Answer] = set()

    async def pieces(self, body: bytes) -> AsyncGenerator[bytes, None]:
        """The JSON of each piece of a streamed answer to the JSON of a request.

        Closing it stops the model within a step. What the reader has not taken yet is kept, at most a context of it:
        to hold the model back for a slow reader would let everybody wait. Raises `Refused`.
        """
        await self._lanes.acquire()
        answer = _Answer()
        self._running.add(answer)
        call = asyncio.get_running_loop().run_in_executor(self._threads, self._answer, body, answer)
        call.add_done_callback(partial(self._ended, answer))
        try:
            while isinstance(piece := await answer.pieces.get(), bytes):
                yield piece
            if piece is not None:
                raise piece
        finally:
            answer.stopped = True

    async def close(self) -> None:
        """Stop what is running, then free the model: in this order, since the library frees it under a running call."""
        for answer in self._running:
            answer.stopped = True
        await asyncio.to_thread(self._threads.shutdown)
        del self._server

    def _answer(self, body: bytes, answer: "_Answer") -> None:
        if answer.stopped:
            return
        try:
            self._server.handle_chat_completions(body, answer.take)
        except Exception as error:  # noqa: BLE001 - those of C++ come as half a dozen kinds
            raise Refused(type(error).__name__) from None

    def _ended(self, answer: "_Answer", call: asyncio.Future[None]) -> None:
        """On the loop, after the last piece; the next in line may start."""
        self._running.discard(answer)
        self._lanes.release()
        answer.pieces.put_nowait(call.exception())


class _Answer:
    """What a lane's thread hands to the loop, and what the loop tells the thread.

    After the last piece comes None, or what ended the answer.
    """

    def __init__(self) -> None:
        self.pieces: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self.stopped = False
        self._loop = asyncio.get_running_loop()

    def take(self, piece: bytes) -> bool:
        """Called in the thread for each piece; true stops the model."""
        if not self.stopped:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        return self.stopped


@asynccontextmanager
async def open_engine(settings: LlamaCppSettings) -> AsyncIterator[Engine]:
    """Load the model. Raises `WrongSetting` when llama.cpp cannot.

    In a thread, though the library (2026.10) holds the interpreter's lock meanwhile: nothing is served yet.
    """
    engine = Engine(await asyncio.to_thread(_load, settings), settings.parallel)
    try:
        yield engine
    finally:
        await engine.close()


def _load(settings: LlamaCppSettings) -> Server:
    try:
        return Server(_parameters(settings))
    except RuntimeError as error:  # why it failed is said in the library's log alone
        raise WrongSetting(
            f"LLMOPS_LLAMA_CPP__MODEL_PATH: llama.cpp cannot load {settings.model_path}. The file is damaged, of a kind "
            "that this version does not know, or too large for the memory with this context."
        ) from error


def _parameters(settings: LlamaCppSettings) -> CommonParams:
    parameters = CommonParams()
    parameters.model.path = str(settings.model_path)
    parameters.n_parallel = settings.parallel
    parameters.n_ctx = settings.context_size * settings.parallel
    parameters.n_batch = parameters.n_ubatch = _TOKENS_A_STEP
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = settings.threads
    parameters.cache_ram_mib = _PROMPT_CACHE_MIB
    parameters.verbosity = _INFORMATIVE if log.isEnabledFor(logging.DEBUG) else _QUIET
    # The library always listens on a port of 127.0.0.1 as well; with a key that nobody has, nobody is answered there.
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.endpoint_slots = parameters.ui = False
    parameters.n_threads_http = 1
    return parameters
