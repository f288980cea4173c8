"""Durable jobs on DBOS, with its tables in SQLite or PostgreSQL and the handlers on the service's own event loop.

DBOS keeps the queue and knows who runs what, all in threads of its own (`executor`). There a job is a thread that
waits while its handler runs as a task of the loop that called `launch`, so that handlers may use whatever is bound to
that loop.

Each process runs jobs under the number of a slot that it holds for as long as it lives (`executor_slots`). Jobs that
run under a slot that nobody holds were interrupted: another process queues them again. So one that cannot tell whether
it still holds its slot stops its jobs, before others may take them over.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeVar

from dbos import error as dbos_error
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from llmops_api.adapters.dbos_jobs.executor import Executor, open_executor
from llmops_api.errors import BackendUnavailable
from llmops_api.ports.jobs import JobHandler, JobRunner

_BEAT_SECONDS: Final = 1
"""How often a process looks whether its slot and its jobs are still its own."""
_LEASE_SECONDS: Final = 4
"""How long it goes on without knowing: less than `_ADOPTION_SECONDS`, after which others take its jobs over."""
_ADOPTION_SECONDS: Final = 6
_ANSWER_SECONDS: Final = 10
_QUESTIONS: Final = 4
"""How many are asked at once; a database that hangs costs this many threads, not one for each question."""

_FAILURES: Final = (SQLAlchemyError, sqlite3.Error, dbos_error.DBOSException, TimeoutError)

_log = logging.getLogger(__name__)
logging.getLogger("dbos").addHandler(logging.NullHandler())  # without any handler it would add one that prints
logging.getLogger("dbos").addFilter(lambda record: not _tells_of_a_cancelled_job(record))

Answer = TypeVar("Answer")


@asynccontextmanager
async def open_job_runner(*, database_url: str) -> AsyncIterator[JobRunner]:
    """Jobs in the database at `database_url` (`sqlite+...:///path` or `postgresql+...://...`, whatever the driver).

    Nothing is opened before `launch`. Jobs that run when it closes are stopped, and go on after the next launch.
    """
    runner = DBOSJobRunner(make_url(database_url))
    try:
        yield runner
    finally:
        await runner.close()


class DBOSJobRunner:
    """A `JobRunner`. A handler that raises could not keep its record: its job is called again some seconds later."""

    def __init__(self, database_url: URL) -> None:
        self._url = database_url
        self._opened = ExitStack()
        self._executor: Executor | None = None
        self._handlers: Mapping[str, JobHandler] = {}
        self._jobs: dict[str, asyncio.Task[Any]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._adopted_at = -math.inf
        self._answers = True
        self._closing = asyncio.Event()
        self._questions = ThreadPoolExecutor(_QUESTIONS, "job-questions")
        self._watch = ThreadPoolExecutor(1, "job-watch")

    async def launch(self, handlers: Mapping[str, JobHandler]) -> None:
        loop = asyncio.get_running_loop()
        self._handlers = handlers
        executor = open_executor(self._url, lambda *job: asyncio.run_coroutine_threadsafe(self._handle(*job), loop))
        try:
            self._executor = await asyncio.to_thread(self._opened.enter_context, executor)
        except _FAILURES as error:
            raise BackendUnavailable("the job database cannot be opened", backend="jobs") from error
        self._watching = asyncio.create_task(self._keep_watch(self._executor))

    async def start(self, job_id: str, kind: str) -> None:
        await self._ask(lambda executor: executor.enqueue(job_id, kind))

    async def cancel(self, job_id: str) -> None:
        await self._ask(lambda executor: executor.cancel(job_id))
        if job := self._jobs.get(job_id):
            job.cancel()

    async def ping(self) -> None:
        await self._ask(Executor.ping)

    async def close(self) -> None:
        """Stop what runs here, without ending it, and give the slot back."""
        self._closing.set()
        self._stop_all()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        if self._watching:
            await asyncio.wait({self._watching}, timeout=_ANSWER_SECONDS)
        self._executor = None
        for threads in (self._questions, self._watch):
            threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._opened.close)

    async def _ask(self, question: Callable[[Executor], object]) -> None:
        if self._executor is None:
            raise BackendUnavailable("the job runner is not launched", backend="jobs")
        try:
            await _answer(self._questions, partial(question, self._executor), _ANSWER_SECONDS)
        except _FAILURES as error:
            raise BackendUnavailable("the job database does not answer", backend="jobs") from error

    async def _handle(self, job_id: str, kind: str) -> None:
        task = asyncio.current_task()
        if task is None or self._closing.is_set() or job_id in self._jobs:
            raise asyncio.CancelledError
        self._jobs[job_id] = task
        try:
            await self._handlers[kind](job_id)
        except Exception:
            _log.exception("job %s was left unfinished", job_id)
            raise
        finally:
            del self._jobs[job_id]

    async def _keep_watch(self, executor: Executor) -> None:
        """Beat by beat; without knowing whether the slot is held, jobs run on for `_LEASE_SECONDS` and no longer."""
        held = time.monotonic()
        while not self._closing.is_set():
            if await self._beat(executor):
                held = time.monotonic()
            elif time.monotonic() - held > _LEASE_SECONDS:
                self._stop_all()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _BEAT_SECONDS)

    async def _beat(self, executor: Executor) -> bool:
        """Hold the slot, stop what is not ours any more, take over what nobody runs; whether all that was done."""
        try:
            held = await _answer(self._watch, executor.keep_slot, _LEASE_SECONDS)
            if held:
                await self._stop_what_is_not_ours(executor)
                await self._adopt(executor)
        except _FAILURES as error:
            if self._answers:
                _log.warning("the job database does not answer: %s", type(error).__name__)
            self._answers = False
            return False
        self._answers = True
        return held

    async def _adopt(self, executor: Executor) -> None:
        if time.monotonic() - self._adopted_at >= _ADOPTION_SECONDS:
            self._adopted_at = time.monotonic()
            await _answer(self._watch, partial(executor.adopt, frozenset(self._jobs)), _LEASE_SECONDS)

    async def _stop_what_is_not_ours(self, executor: Executor) -> None:
        """Cancelled by another replica, or taken over by it while our slot was lost."""
        if handled := dict(self._jobs):
            ours = await _answer(self._watch, executor.ours, _LEASE_SECONDS)
            for job_id in handled.keys() - ours:
                handled[job_id].cancel()

    def _stop_all(self) -> None:
        for job in self._jobs.values():
            job.cancel()


async def _answer(threads: ThreadPoolExecutor, question: Callable[[], Answer], seconds: float) -> Answer:
    """What the question answers in one of these threads; `TimeoutError` when it is late."""
    async with asyncio.timeout(seconds):
        return await asyncio.get_running_loop().run_in_executor(threads, question)


def _tells_of_a_cancelled_job(record: logging.LogRecord) -> bool:
    """DBOS takes it for an error, with a traceback, that a job was cancelled at the moment in which it ended."""
    _, error, _ = record.exc_info or (None, None, None)
    return isinstance(error, dbos_error.DBOSAwaitedWorkflowCancelledError)
