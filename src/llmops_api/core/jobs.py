"""Long work whose record follows it: started once, seen while it runs, cancelled, and not lost in a crash.

The record is the truth and the runner its muscle. A record that has ended is never run again; one that somebody else
has changed while it ran was cancelled, so its work stops. What a job is to work through lies in a stream of its own,
which is erased by the very write that ends the job, however it ends.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from llmops_api.errors import BackendUnavailable, LLMOpsError, NotFound, VersionMismatch
from llmops_api.ports.jobs import JobRunner
from llmops_api.ports.state import Change, Delete, Erase, Put, Record, Require, StateStore

JOB = "job"
OPEN = "job-open"
"""A mark beside each job that has not ended, so that a launch need not read all that ever ran."""
FILLING = "job-filling"
"""A mark beside each stream that is filled before its job is started: what a crash leaves of it can be found."""
FILLING_AT_MOST = timedelta(days=1)

MAX_ERRORS = 100
WRITE_INTERVAL = timedelta(milliseconds=250)

_log = logging.getLogger(__name__)


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Job:
    """`total` is 0 until it is known. `errors` holds the first `MAX_ERRORS` of `error_count`."""

    id: str
    kind: str
    world: str
    created_at: datetime
    status: JobStatus = JobStatus.QUEUED
    done: int = 0
    total: int = 0
    result: Mapping[str, Any] | None = None
    errors: tuple[Mapping[str, Any], ...] = ()
    error_count: int = 0
    ended_at: datetime | None = None

    @classmethod
    def of(cls, record: Record) -> "Job":
        times = {name: datetime.fromisoformat(record.value[name]) for name in _TIMES if record.value[name]}
        lists = {"status": JobStatus(record.value["status"]), "errors": tuple(record.value["errors"])}
        return cls(**{**record.value, **lists, **times, "id": record.key})

    @property
    def ended(self) -> bool:
        return self.status in _ENDED

    @property
    def stream(self) -> str:
        return stream_of(self.id)

    def stored(self, expected_version: int) -> tuple[Change, ...]:
        """The changes that store this job, keep its mark, and erase its stream once it has ended."""
        value = {name: item for name, item in asdict(self).items() if name != "id"}
        times = {name: value[name] and value[name].isoformat() for name in _TIMES}
        put = Put(JOB, self.id, {**value, **times}, expected_version=expected_version)
        if self.ended:
            return put, Delete(OPEN, self.id, forget=True), Erase(self.stream)
        return put, Put(OPEN, self.id, {"kind": self.kind})


_TIMES = ("created_at", "ended_at")


def stream_of(job_id: str) -> str:
    """The stream of the state store with what a job works through; it may be filled before the job is started."""
    return f"job/{job_id}"


def _filled(job_id: str) -> Delete:
    return Delete(FILLING, job_id, forget=True)


class JobRun:
    """A job that is running, as its handler sees it. Its methods stop the handler when the job has been cancelled."""

    def __init__(self, state: StateStore, now: Callable[[], datetime], job: Job, version: int) -> None:
        self._state = state
        self._now = now
        self._job = job
        self._reported: list[Mapping[str, Any]] = []
        self._version = version
        self._written_at = now()
        self._writing = asyncio.Lock()
        self._task = asyncio.current_task()

    @property
    def job_id(self) -> str:
        return self._job.id

    @property
    def world(self) -> str:
        return self._job.world

    @property
    def stream(self) -> str:
        return self._job.stream

    @property
    def total(self) -> int:
        return self._job.total

    @property
    def still_wanted(self) -> Require:
        """Goes with a write that must not be made once the job is cancelled, though its handler has yet to hear of it."""
        return Require(OPEN, self._job.id)

    async def progress(self, done: int, total: int) -> None:
        """Tell how far it is. Call it as often as you like: few of the calls are written."""
        self._job = replace(self._job, done=done, total=total)
        async with self._writing:
            if self._now() - self._written_at >= WRITE_INTERVAL:
                await self._write()

    def report(self, error: Mapping[str, Any]) -> None:
        """Tell of a part that failed, in the form of `Jobs.start`; the record has it when the job ends.

        Not sooner, so that a job that begins again after a crash does not tell it twice.
        """
        self._reported.append(error)

    async def _write(self) -> None:
        try:
            self._version, *_ = await self._state.write(*self._job.stored(self._version))
        except VersionMismatch:
            await self._stop()
        self._written_at = self._now()

    async def _stop(self) -> None:
        """Cancel the handler itself, whichever of its tasks called."""
        if self._task:
            self._task.cancel()
        await asyncio.sleep(0)

    async def end(self, status: JobStatus, *errors: Mapping[str, Any], **outcome: Any) -> None:
        """Write how it ended, unless it was cancelled meanwhile; `errors` stand before all others."""
        told = (*errors, *self._job.errors, *self._reported)
        count = len(errors) + self._job.error_count + len(self._reported)
        ended = replace(
            self._job, status=status, ended_at=self._now(), errors=told[:MAX_ERRORS], error_count=count, **outcome
        )
        with suppress(VersionMismatch):
            await self._state.write(*ended.stored(self._version))

    async def fail(self, code: str, message: str) -> None:
        """End as failed, for this reason."""
        await self.end(JobStatus.FAILED, {"code": code, "message": message})


Handler = Callable[[JobRun], Awaitable[Mapping[str, Any] | None]]
"""Does the work of one kind and returns its result. After a crash it is called again, so it passes over what is done."""


class Jobs:
    """The jobs of all worlds: their records in the state store, their work in the runner."""

    def __init__(
        self, state: StateStore, runner: JobRunner, now: Callable[[], datetime], new_id: Callable[[str], str]
    ) -> None:
        self._state = state
        self._runner = runner
        self._now = now
        self._new_id = new_id

    async def launch(self, handlers: Mapping[str, Handler]) -> None:
        """Begin to run jobs of these kinds, those too that a crash left between their record and the runner."""
        await self._runner.launch({kind: partial(self._run, handler) for kind, handler in handlers.items()})
        last = ""
        while marks := await self._state.list(OPEN, after=last):
            for mark in marks:
                await self._runner.start(mark.key, mark.value["kind"])
            last = marks[-1].key
        await self._sweep()

    async def _sweep(self) -> None:
        """Erase the streams whose filling was broken off by a crash."""
        last = ""
        while marks := await self._state.list(FILLING, after=last):
            for mark in marks:
                if mark.updated_at + FILLING_AT_MOST < self._now():
                    await self.abandon(mark.key)
            last = marks[-1].key

    async def reserve(self) -> str:
        """The id of a job whose stream is filled before its `start`; if none follows, `abandon` erases the stream."""
        job_id = self._new_id("job")
        await self._state.write(Put(FILLING, job_id, {}))
        return job_id

    async def start(
        self,
        kind: str,
        world: str,
        *,
        job_id: str | None = None,
        total: int = 0,
        errors: Sequence[Mapping[str, Any]] = (),
        error_count: int | None = None,
    ) -> Job:
        """Queue a job. `errors` are those of parts of its work, `{file?, line?, field?, document_id?, message}`;
        `error_count` tells how many there are when these are but the first `MAX_ERRORS`."""
        job = Job(
            id=job_id or self._new_id("job"),
            kind=kind,
            world=world,
            created_at=self._now(),
            total=total,
            errors=tuple(errors[:MAX_ERRORS]),
            error_count=len(errors) if error_count is None else error_count,
        )
        await self._state.write(*job.stored(expected_version=0), _filled(job.id))
        await self._runner.start(job.id, kind)
        return job

    async def abandon(self, job_id: str) -> None:
        """Erase the stream of a job that was never started; one that was keeps its stream until it ends."""
        never_started = Delete(JOB, job_id, expected_version=0, forget=True)
        # Out of reach: the failure that led here must not be hidden.
        with suppress(VersionMismatch, BackendUnavailable):
            await self._state.write(never_started, Erase(stream_of(job_id)), _filled(job_id))

    async def delete_all(self, world_id: str, _meanwhile: Require) -> None:
        """Cancel what is still to be done in a world that is gone from sight (`core/removal.py`)."""
        last = ""
        while marks := await self._state.list(OPEN, after=last):
            for mark in marks:
                last = mark.key
                with suppress(NotFound):
                    if (await self.get(mark.key)).world == world_id:
                        await self.cancel(mark.key)

    async def get(self, job_id: str) -> Job:
        """Raises `NotFound`."""
        return Job.of(await self._record(job_id))

    async def cancel(self, job_id: str) -> Job:
        """Stop it where it is; one that has ended stays as it was. Raises `NotFound`."""
        cancelled, _ = await self._change(
            job_id, lambda job: replace(job, status=JobStatus.CANCELLED, ended_at=self._now())
        )
        await self._runner.cancel(job_id)
        return cancelled

    async def _run(self, handler: Handler, job_id: str) -> None:
        """Called by the runner. What it lets through, a lost state store, makes the runner call again later."""
        job, version = await self._change(job_id, lambda job: replace(job, status=JobStatus.RUNNING))
        if job.ended:
            return
        run = JobRun(self._state, self._now, job, version)
        try:
            result = await handler(run)
        except LLMOpsError as error:
            await run.fail(error.code, error.message)
        except Exception:  # noqa: BLE001 - whatever stopped it, the record must say that it has stopped
            _log.exception("job %s (%s) failed", job_id, job.kind)
            await run.fail(LLMOpsError.code, "The job failed for a reason of ours; the log says more.")
        else:
            await run.end(JobStatus.SUCCEEDED, result=result)

    async def _change(self, job_id: str, change: Callable[[Job], Job]) -> tuple[Job, int]:
        """Change a job that has not ended, whoever else writes; the job as it then stands, and its version."""
        while not (job := Job.of(record := await self._record(job_id))).ended:
            with suppress(VersionMismatch):
                changed = change(job)
                version, *_ = await self._state.write(*changed.stored(record.version))
                return changed, version
        return job, record.version

    async def _record(self, job_id: str) -> Record:
        record = await self._state.get(JOB, job_id)
        if record is None:
            raise NotFound("There is no such job.")
        return record
