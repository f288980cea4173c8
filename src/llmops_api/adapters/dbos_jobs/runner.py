"""Durable jobs on DBOS, with its tables in SQLite or PostgreSQL and the handlers on the service's own event loop.

DBOS keeps the queue and knows who runs what, all in threads of its own. There a job is a thread that waits while its
handler runs as a task of the loop that called `launch`, so that handlers may use whatever is bound to that loop.

Each process runs jobs under the number of a slot that it holds for as long as it lives (`executor_slots`). Jobs that
run under a slot that nobody holds were interrupted: the process that takes such a slot queues them again.
"""

import asyncio
import contextvars
import itertools
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, WorkflowStatus
from dbos import error as dbos_error
from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from llmops_api.adapters.dbos_jobs.executor_slots import ExecutorSlots, open_executor_slots
from llmops_api.errors import BackendUnavailable
from llmops_api.ports.jobs import JobHandler, JobRunner

_QUEUE: Final = "jobs"
_CONCURRENCY: Final = 2
_POLLING_SECONDS: Final = 0.25
_ADOPTION_SECONDS: Final = 10
_ANSWER_SECONDS: Final = 10

_FAILURES: Final = (SQLAlchemyError, sqlite3.Error, dbos_error.DBOSException, TimeoutError)

_one_at_a_time = threading.Lock()
"""DBOS keeps itself in module globals: a process has one."""

_log = logging.getLogger(__name__)
logging.getLogger("dbos").addHandler(logging.NullHandler())  # without any handler it would add one that prints


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
    """A `JobRunner`. A handler that raises could not keep its record: its job is called again after the next launch."""

    def __init__(self, database_url: URL) -> None:
        self._url = database_url
        self._opened = ExitStack()
        self._executor: _Executor | None = None
        self._handlers: Mapping[str, JobHandler] = {}
        self._jobs: dict[str, asyncio.Task[Any]] = {}
        self._adoption: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def launch(self, handlers: Mapping[str, JobHandler]) -> None:
        loop = asyncio.get_running_loop()
        self._handlers = handlers
        executor = _open_executor(self._url, lambda *job: asyncio.run_coroutine_threadsafe(self._handle(*job), loop))
        try:
            self._executor = await asyncio.to_thread(self._opened.enter_context, executor)
        except _FAILURES as error:
            raise BackendUnavailable("the job database cannot be opened", backend="jobs") from error
        self._adoption = asyncio.create_task(self._adopt(self._executor))

    async def start(self, job_id: str, kind: str) -> None:
        await self._ask(lambda executor: executor.enqueue(job_id, kind))

    async def cancel(self, job_id: str) -> None:
        await self._ask(lambda _: DBOS.cancel_workflow(job_id))
        if job := self._jobs.get(job_id):
            job.cancel()

    async def ping(self) -> None:
        await self._ask(lambda _: DBOS.get_workflow_status("ping"))

    async def close(self) -> None:
        """Stop what runs here, without ending it, and give the slot back."""
        self._closing.set()
        for job in self._jobs.values():
            job.cancel()
        await asyncio.gather(*self._jobs.values(), return_exceptions=True)
        if self._adoption:
            await asyncio.wait({self._adoption}, timeout=_ANSWER_SECONDS)
        self._executor = None
        await asyncio.to_thread(self._opened.close)

    async def _ask(self, question: Callable[["_Executor"], object]) -> None:
        """Answers at once or not at all: DBOS by itself would wait for a lost database for ever."""
        if self._executor is None:
            raise BackendUnavailable("the job runner is not launched", backend="jobs")
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await asyncio.to_thread(question, self._executor)
        except _FAILURES as error:
            raise BackendUnavailable("the job database does not answer", backend="jobs") from error

    async def _handle(self, job_id: str, kind: str) -> None:
        task = asyncio.current_task()
        if task is None or self._closing.is_set():
            raise asyncio.CancelledError
        self._jobs[job_id] = task
        try:
            await self._handlers[kind](job_id)
        except Exception:
            _log.exception("job %s was left unfinished", job_id)
            raise
        finally:
            del self._jobs[job_id]

    async def _adopt(self, executor: "_Executor") -> None:
        while not self._closing.is_set():
            try:
                await asyncio.to_thread(executor.adopt)
            except _FAILURES:
                _log.exception("the jobs of dead processes could not be looked for")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _ADOPTION_SECONDS)


@contextmanager
def _open_executor(url: URL, handle: Callable[..., Future[None]]) -> Iterator["_Executor"]:
    """Hold a slot and run DBOS under it."""
    if not _one_at_a_time.acquire(blocking=False):
        raise BackendUnavailable("this process has a job runner already", backend="jobs")
    with ExitStack() as stack:
        stack.callback(_one_at_a_time.release)
        slots = stack.enter_context(open_executor_slots(url))
        slot = next(slot for slot in itertools.count() if slots.take(slot))
        stack.callback(DBOS.destroy, destroy_registry=True)
        DBOS(config=_config(url, slot))
        executor = _Executor(slots, slot, handle)
        DBOS.launch()  # queues again what the last holder of the slot left
        DBOS.register_queue(_QUEUE, worker_concurrency=_CONCURRENCY, polling_interval_sec=_POLLING_SECONDS)
        yield executor


def _config(url: URL, slot: int) -> DBOSConfig:
    driver = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return DBOSConfig(
        name="llmops-api",
        system_database_url=url.set(drivername=driver).render_as_string(hide_password=False),
        application_version="1",  # a job queued by one release of the service is run by the next
        executor_id=str(slot),
        serializer=DBOSPortableJSONSerializer(),
        log_level="WARNING",
        notification_listener_polling_interval_sec=_POLLING_SECONDS,
    )


class _Executor:
    """This process as DBOS sees it; only used in threads, since DBOS blocks."""

    def __init__(self, slots: ExecutorSlots, slot: int, handle: Callable[..., Future[None]]) -> None:
        self._slots = slots
        self._slot = slot

        @DBOS.workflow(name="job", max_recovery_attempts=None)
        def job(job_id: str, kind: str) -> None:
            """Stopped or failed, it leaves by an exception that DBOS takes for a crash: the job is not done."""
            try:
                contextvars.Context().run(handle, job_id, kind).result()  # the handler is no step of this workflow
            except Exception as error:
                raise asyncio.CancelledError from error

        self._job = job

    def enqueue(self, job_id: str, kind: str) -> None:
        with SetWorkflowID(job_id):
            DBOS.enqueue_workflow(_QUEUE, self._job, job_id, kind)

    def adopt(self) -> None:
        """Queue again the jobs of dead processes. Holding a dead one's slot meanwhile, nobody else does the same."""
        for slot in {int(job.executor_id or 0) for job in _running()} - {self._slot}:
            if self._slots.take(slot):
                try:
                    jobs = [job.workflow_id for job in _running(executor_id=str(slot))]
                    DBOS.resume_workflows(jobs, queue_name=_QUEUE)
                finally:
                    self._slots.release(slot)


def _running(executor_id: str | None = None) -> list[WorkflowStatus]:
    return DBOS.list_workflows(status="PENDING", executor_id=executor_id, load_input=False, load_output=False)
