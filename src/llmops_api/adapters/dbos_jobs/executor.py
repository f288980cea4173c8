"""This process as DBOS sees it: a queue that it works off under the number of its slot, and questions about jobs.

All of it blocks. DBOS itself waits for a lost database for ever, so it only works off the queue; what somebody waits
for goes through its client, which fails instead.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Final

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowStatus
from dbos import error as dbos_error
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from llmops_api.adapters.dbos_jobs.executor_slots import ExecutorSlots, open_executor_slots
from llmops_api.errors import BackendUnavailable

_NAME: Final = "llmops-api"
_QUEUE: Final = "jobs"
_JOB: Final = "job"
_VERSION: Final = "1"
"""The same for every release: a job queued by one is run by the next."""
_CONCURRENCY: Final = 2
_POLLING_SECONDS: Final = 0.25
_CONNECTIONS: Final = 5
"""Of DBOS: two jobs, its queue, its notifications, and one to spare."""
_CLIENT_CONNECTIONS: Final = 2
_NOTICE_A_LOST_SERVER: Final = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""Parameters of libpq, for threads that would wait two hours for an answer from behind a cut cable."""

Handle = Callable[[str, str], Future[None]]
"""Begin to handle the job of this id and kind."""

_one_at_a_time = threading.Lock()
"""DBOS keeps itself in module globals: a process has one."""

_log = logging.getLogger(__name__)


@contextmanager
def open_executor(url: URL, handle: Handle) -> "Iterator[Executor]":
    """Hold a slot and run DBOS under it."""
    if not _one_at_a_time.acquire(blocking=False):
        raise BackendUnavailable("this process has a job runner already", backend="jobs")
    with ExitStack() as stack:
        stack.callback(_one_at_a_time.release)
        url = _on_our_driver(url)
        slots = stack.enter_context(open_executor_slots(url))
        slot = next(slot for slot in slots.numbers() if slots.take(slot))
        executor = Executor(stack.enter_context(_open_client(url)), slots, slot)
        stack.callback(executor.give_back)
        stack.callback(DBOS.destroy, destroy_registry=True)
        DBOS(config=_config(url, slot))
        _register(handle)
        DBOS.launch()  # queues again what the last holder of the slot left
        DBOS.register_queue(_QUEUE, worker_concurrency=_CONCURRENCY, polling_interval_sec=_POLLING_SECONDS)
        yield executor


def _on_our_driver(url: URL) -> URL:
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite")
    return url.set(drivername="postgresql+psycopg").update_query_dict({**_NOTICE_A_LOST_SERVER, **url.query})


def _config(url: URL, slot: int) -> DBOSConfig:
    return DBOSConfig(
        name=_NAME,
        system_database_url=url.render_as_string(hide_password=False),
        sys_db_pool_size=_CONNECTIONS,
        application_version=_VERSION,
        executor_id=str(slot),
        serializer=DBOSPortableJSONSerializer(),
        log_level="WARNING",
        notification_listener_polling_interval_sec=_POLLING_SECONDS,
    )


@contextmanager
def _open_client(url: URL) -> Iterator[DBOSClient]:
    client = DBOSClient(
        system_database_url=url.render_as_string(hide_password=False),
        system_database_pool_size=_CLIENT_CONNECTIONS,
        serializer=DBOSPortableJSONSerializer(),
        application_name=_NAME,
        lazy=True,
        retry_connection_errors=False,
    )
    try:
        yield client
    finally:
        client.destroy()


def _register(handle: Handle) -> None:
    @DBOS.workflow(name=_JOB, max_recovery_attempts=None)
    def job(job_id: str, kind: str) -> None:
        """Stopped or failed, it leaves by an exception that DBOS takes for a crash: the job is not done."""
        try:
            contextvars.Context().run(handle, job_id, kind).result()  # the handler is no step of this workflow
        except Exception as error:
            raise asyncio.CancelledError from error


class Executor:
    """What the process does with its slot and with jobs. Failures are those of SQLAlchemy and of DBOS."""

    def __init__(self, client: DBOSClient, slots: ExecutorSlots, slot: int) -> None:
        self._client = client
        self._slots = slots
        self._slot = slot
        self._abandoned: AbstractSet[str] = frozenset()

    def enqueue(self, job_id: str, kind: str) -> None:
        options = EnqueueOptions(workflow_name=_JOB, queue_name=_QUEUE, workflow_id=job_id, app_version=_VERSION)
        self._client.enqueue(options, job_id, kind)

    def cancel(self, job_id: str) -> None:
        self._client.cancel_workflow(job_id)

    def ping(self) -> None:
        self._client.check_connection()

    def keep_slot(self) -> bool:
        """Whether the slot is ours; as long as it is, nobody else takes our jobs over."""
        return self._slots.keep(self._slot)

    def ours(self) -> set[str]:
        """The jobs that are ours to run: neither cancelled nor taken over by another process."""
        return {job.workflow_id for job in self._running(str(self._slot))}

    def adopt(self, handled: AbstractSet[str]) -> None:
        """Queue the jobs again that nobody has run since the last call: those of slots that nobody holds, and those of
        our own that are not `handled` here. A process that lost its connection has until then to take its slot again.

        Holding a dead one's slot meanwhile, nobody else does the same.
        """
        abandoned = {job for job in self.ours() if job not in handled}
        self._resume(abandoned & self._abandoned)
        for slot in {int(job.executor_id or 0) for job in self._running()} - {self._slot}:
            if self._slots.take(slot):
                try:
                    jobs = {job.workflow_id for job in self._running(str(slot))}
                    self._resume(jobs & self._abandoned)
                    abandoned |= jobs
                finally:
                    self._slots.release(slot)
        self._abandoned = abandoned

    def give_back(self) -> None:
        """Let others go on at once with what was interrupted here, now that DBOS takes nothing up any more."""
        try:
            self._resume(self.ours())
        except (SQLAlchemyError, dbos_error.DBOSException):
            _log.warning("the jobs that ran here could not be given back; others will find them")

    def _resume(self, job_ids: AbstractSet[str]) -> None:
        if job_ids:
            self._client.resume_workflows(sorted(job_ids), queue_name=_QUEUE)

    def _running(self, executor_id: str | None = None) -> list[WorkflowStatus]:
        return self._client.list_workflows(
            status="PENDING", executor_id=executor_id, load_input=False, load_output=False
        )
