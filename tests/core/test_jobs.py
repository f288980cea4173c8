"""Jobs: the record follows the work, through failures, cancelling, restarts and kill -9."""

import asyncio
import itertools
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops_api.adapters.database.store import open_state_store
from llmops_api.core.jobs import MAX_ERRORS, Job, JobRun, Jobs, JobStatus, stream_of
from llmops_api.errors import BackendUnavailable, NotFound
from llmops_api.ports.jobs import JobHandler, JobRunner
from llmops_api.ports.state import Append, StateStore
from tests.support import Clock


class LocalRunner:
    """Runs jobs at once in this process; what it was started with outlives `launch`, as a durable runner's would."""

    def __init__(self) -> None:
        self.handlers: Mapping[str, JobHandler] = {}
        self.jobs: dict[str, asyncio.Task[None]] = {}
        self.reachable = True

    async def launch(self, handlers: Mapping[str, JobHandler]) -> None:
        self.handlers = handlers

    async def start(self, job_id: str, kind: str) -> None:
        if not self.reachable:
            raise BackendUnavailable("away", backend="jobs")
        if job_id not in self.jobs:
            self.jobs[job_id] = asyncio.create_task(self.run(job_id, kind))

    async def run(self, job_id: str, kind: str) -> None:
        await self.handlers[kind](job_id)

    async def cancel(self, job_id: str) -> None:
        if job_id in self.jobs:
            self.jobs[job_id].cancel()

    async def ping(self) -> None:
        """Always there."""

    async def settle(self) -> None:
        """Wait until all that was started has stopped."""
        await asyncio.wait(self.jobs.values(), timeout=30)


@pytest.fixture
def runner() -> LocalRunner:
    return LocalRunner()


@pytest.fixture
def jobs(state: StateStore, runner: LocalRunner) -> Jobs:
    return some_jobs(state, runner)


def some_jobs(state: StateStore, runner: JobRunner, clock: Clock | None = None) -> Jobs:
    ids = itertools.count(1)
    return Jobs(state, runner, clock or Clock(step=timedelta(seconds=1)), lambda prefix: f"{prefix}_{next(ids)}")


async def count_to_three(run: JobRun) -> Mapping[str, Any]:
    for done in range(1, 4):
        await run.progress(done, 3)
    return {"world": run.world, "total": run.total}


async def done(jobs: Jobs, runner: LocalRunner, kind: str = "work", **given: Any) -> Job:
    """Start a job of this kind; the job as it stands when its work has stopped."""
    job = await jobs.start(kind, "emberfall", **given)
    await runner.settle()
    return await jobs.get(job.id)


async def test_a_started_job_is_queued_until_it_runs(jobs: Jobs) -> None:
    await jobs.launch({"work": count_to_three})

    started = await jobs.start("work", "emberfall")

    assert started == await jobs.get("job_1")
    assert (started.status, started.done, started.total, started.ended_at) == (JobStatus.QUEUED, 0, 0, None)


async def test_a_job_that_returns_has_succeeded_with_its_result(jobs: Jobs, runner: LocalRunner) -> None:
    await jobs.launch({"work": count_to_three})

    job = await done(jobs, runner)

    assert job.status is JobStatus.SUCCEEDED
    assert job.result == {"world": "emberfall", "total": 3}
    assert (job.done, job.total) == (3, 3)
    assert job.ended_at
    assert job.created_at < job.ended_at


async def test_progress_is_seen_while_it_runs(jobs: Jobs, runner: LocalRunner) -> None:
    reached = asyncio.Event()

    async def work(run: JobRun) -> None:
        await run.progress(5, 9)
        reached.set()
        await asyncio.Event().wait()

    await jobs.launch({"work": work})
    job = await jobs.start("work", "emberfall")
    await reached.wait()

    seen = await jobs.get(job.id)
    await jobs.cancel(job.id)

    assert (seen.status, seen.done, seen.total) == (JobStatus.RUNNING, 5, 9)


async def test_progress_within_a_moment_is_written_once(state: StateStore, runner: LocalRunner) -> None:
    jobs = some_jobs(state, runner, clock=Clock())

    async def work(run: JobRun) -> None:
        for number in range(1000):
            await run.progress(number + 1, 1000)

    await jobs.launch({"work": work})
    job = await done(jobs, runner)
    record = await state.get("job", job.id)

    assert job.done == 1000
    assert record
    assert record.version == 3


async def test_an_error_of_ours_fails_the_job_with_its_code(jobs: Jobs, runner: LocalRunner) -> None:
    async def work(run: JobRun) -> None:
        raise NotFound("There is no such world.")

    await jobs.launch({"work": work})
    job = await done(jobs, runner)

    assert job.status is JobStatus.FAILED
    assert job.errors == ({"code": "not_found", "message": "There is no such world."},)


async def test_any_other_exception_is_logged_and_told_to_nobody(
    jobs: Jobs, runner: LocalRunner, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(run: JobRun) -> None:
        raise ZeroDivisionError("a secret of the code")

    await jobs.launch({"work": work})
    job = await done(jobs, runner)

    assert (job.status, job.errors[0]["code"], job.error_count) == (JobStatus.FAILED, "internal_error", 1)
    assert "secret" not in str(job.errors)
    assert "a secret of the code" in caplog.text


async def test_errors_of_parts_do_not_stop_it_and_are_counted_past_the_bound(jobs: Jobs, runner: LocalRunner) -> None:
    await jobs.launch({"work": count_to_three})

    job = await done(jobs, runner, errors=[{"line": line, "message": "is bad"} for line in range(MAX_ERRORS + 50)])

    assert (job.status, job.error_count, len(job.errors)) == (JobStatus.SUCCEEDED, MAX_ERRORS + 50, MAX_ERRORS)
    assert job.errors[0] == {"line": 0, "message": "is bad"}


async def test_why_it_failed_is_seen_before_a_full_list_of_errors(jobs: Jobs, runner: LocalRunner) -> None:
    async def work(run: JobRun) -> None:
        raise NotFound("There is no such world.")

    await jobs.launch({"work": work})
    job = await done(jobs, runner, errors=[{"line": line, "message": "is bad"} for line in range(500)])

    assert job.errors[0]["code"] == "not_found"
    assert (job.error_count, len(job.errors)) == (501, MAX_ERRORS)


async def test_work_that_was_cut_off_begins_again_with_the_errors_it_had(jobs: Jobs, runner: LocalRunner) -> None:
    calls = []

    async def work(run: JobRun) -> None:
        calls.append(run.job_id)
        if len(calls) == 1:
            raise asyncio.CancelledError  # as when the process ends

    await jobs.launch({"work": work})
    first = await done(jobs, runner, errors=[{"line": 0, "message": "is no JSON"}])
    await runner.run(first.id, "work")
    second = await jobs.get(first.id)

    assert first.status is JobStatus.RUNNING
    assert (second.status, second.errors) == (JobStatus.SUCCEEDED, first.errors)


async def test_a_job_that_has_ended_is_not_run_again(jobs: Jobs, runner: LocalRunner) -> None:
    calls = []

    async def work(run: JobRun) -> None:
        calls.append(run.job_id)

    await jobs.launch({"work": work})
    job = await done(jobs, runner)
    await runner.run(job.id, "work")

    assert calls == [job.id]


async def test_cancelling_stops_the_work(jobs: Jobs, runner: LocalRunner) -> None:
    began = asyncio.Event()

    async def work(run: JobRun) -> None:
        began.set()
        await asyncio.Event().wait()

    await jobs.launch({"work": work})
    job = await jobs.start("work", "emberfall")
    await began.wait()

    cancelled = await jobs.cancel(job.id)
    await runner.settle()

    assert runner.jobs[job.id].cancelled()
    assert cancelled == await jobs.get(job.id)
    assert cancelled.status is JobStatus.CANCELLED
    assert cancelled.ended_at


async def test_work_in_another_process_stops_when_it_next_tells_its_progress(state: StateStore, jobs: Jobs) -> None:
    here, elsewhere = LocalRunner(), LocalRunner()
    one, two = some_jobs(state, here), some_jobs(state, elsewhere)
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work(run: JobRun) -> None:
        began.set()
        await go_on.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(run.progress(1, 2))
        pytest.fail("it went on")

    await one.launch({"work": work})
    job = await one.start("work", "emberfall")
    await began.wait()
    await two.cancel(job.id)
    go_on.set()
    await here.settle()

    assert here.jobs[job.id].cancelled()
    assert (await one.get(job.id)).status is JobStatus.CANCELLED


async def test_work_that_ends_although_it_was_cancelled_stays_cancelled(state: StateStore, runner: LocalRunner) -> None:
    jobs, elsewhere = some_jobs(state, runner), some_jobs(state, LocalRunner())

    async def work(run: JobRun) -> Mapping[str, Any]:
        await elsewhere.cancel(run.job_id)
        return {"late": True}

    await jobs.launch({"work": work})
    job = await done(jobs, runner)

    assert (job.status, job.result) == (JobStatus.CANCELLED, None)


async def test_cancelling_what_has_ended_changes_nothing(jobs: Jobs, runner: LocalRunner) -> None:
    await jobs.launch({"work": count_to_three})
    job = await done(jobs, runner)

    assert await jobs.cancel(job.id) == job


async def given(state: StateStore, jobs: Jobs) -> str:
    """The id of a job that is not started, with something in its stream."""
    job_id = await jobs.reserve()
    await state.write(Append(stream_of(job_id), ({"page": 1},)))
    return job_id


@pytest.mark.parametrize("failure", [None, NotFound("gone"), ZeroDivisionError()])
async def test_what_a_job_works_through_is_erased_by_its_end(
    state: StateStore, jobs: Jobs, runner: LocalRunner, failure: Exception | None
) -> None:
    """Whether it succeeds, fails, or fails for a reason of ours."""
    read = []

    async def work(run: JobRun) -> None:
        read.append(await state.read(run.stream))
        if failure:
            raise failure

    await jobs.launch({"work": work})
    job = await done(jobs, runner, job_id=await given(state, jobs))

    assert [event.value for event in read[0]] == [{"page": 1}]
    assert await state.read(job.stream) == []


async def test_what_a_cancelled_job_would_have_worked_through_is_erased(state: StateStore, jobs: Jobs) -> None:
    await jobs.launch({"work": count_to_three})
    job = await jobs.start("work", "emberfall", job_id=await given(state, jobs))

    await jobs.cancel(job.id)

    assert await state.read(job.stream) == []


async def test_an_abandoned_job_loses_its_stream_unless_it_was_started(state: StateStore, jobs: Jobs) -> None:
    await jobs.launch({"work": count_to_three})
    never, started = await given(state, jobs), await given(state, jobs)
    await jobs.start("work", "emberfall", job_id=started)

    await jobs.abandon(never)
    await jobs.abandon(started)

    assert await state.read(stream_of(never)) == []
    assert len(await state.read(stream_of(started))) == 1


async def test_what_a_crash_left_of_an_upload_is_erased_by_a_later_start(
    state: StateStore, runner: LocalRunner
) -> None:
    """A day later: until then it may be an upload that another replica is still taking in."""
    clock = Clock()
    clock.now = datetime.now(UTC)
    jobs = some_jobs(state, runner, clock)
    cut_off, started = await jobs.reserve(), await jobs.reserve()
    for job_id in (cut_off, started):
        await state.write(Append(stream_of(job_id), ({"lines": ["a player's words"]},)))

    async def work(_run: JobRun) -> None:
        await asyncio.Event().wait()

    await jobs.launch({"work": work})
    await jobs.start("work", "emberfall", job_id=started)
    kept = await state.read(stream_of(cut_off))
    clock.advance(hours=25)
    await jobs.launch({"work": work})

    assert len(kept) == 1
    assert await state.read(stream_of(cut_off)) == []
    assert len(await state.read(stream_of(started))) == 1


async def test_a_job_that_is_not_there_is_not_found(jobs: Jobs) -> None:
    for ask in (jobs.get, jobs.cancel):
        with pytest.raises(NotFound):
            await ask("job_nobody")


async def test_a_job_that_never_reached_the_runner_is_started_by_the_next_launch(
    state: StateStore, jobs: Jobs, runner: LocalRunner
) -> None:
    runner.reachable = False
    with pytest.raises(BackendUnavailable):
        await jobs.start("work", "emberfall")

    runner.reachable = True
    await jobs.launch({"work": count_to_three})
    await runner.settle()

    assert (await jobs.get("job_1")).status is JobStatus.SUCCEEDED
    assert await state.list("job-open") == []


SERVICE = """
import asyncio, sys
from datetime import UTC, datetime
from uuid import uuid4
from llmops_api.adapters.database.store import open_state_store
from llmops_api.adapters.dbos_jobs.runner import open_job_runner
from llmops_api.core.jobs import Jobs
from llmops_api.ports.state import Append

async def work(state, run):
    written = await state.read("pages")
    for page in range(len(written), 40):
        await state.write(Append("pages", ({"page": page},), expected_position=page))
        await run.progress(page + 1, 40)
        print("page", page, flush=True)
        await asyncio.sleep(0.05)
    return {"pages": 40}

async def main(folder, *start):
    async with (
        open_state_store(database_url=f"sqlite+aiosqlite:///{folder}/state.sqlite") as state,
        open_job_runner(database_url=f"sqlite:///{folder}/jobs.sqlite") as runner,
    ):
        jobs = Jobs(state, runner, lambda: datetime.now(UTC), lambda prefix: prefix + "_1")
        await jobs.launch({"work": lambda run: work(state, run)})
        if start:
            await jobs.start("work", "emberfall")
        while not (await jobs.get("job_1")).ended:
            await asyncio.sleep(0.05)
        print("ended", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_job_ends_however_often_the_service_is_killed(tmp_path: Path) -> None:
    """Three times with SIGKILL, at another page each time; no page is written twice."""
    for last, start in (("page 3", ["start"]), ("page 9", []), ("page 17", []), ("ended", [])):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVICE, str(tmp_path), *start, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(60):
                assert process.stdout
                while line := (await process.stdout.readline()).decode().rstrip():
                    if line == last:
                        break
            assert line == last
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.communicate()

    async with open_state_store(database_url=f"sqlite+aiosqlite:///{tmp_path}/state.sqlite") as state:
        job = await some_jobs(state, LocalRunner()).get("job_1")
        pages = [event.value["page"] for event in await state.read("pages")]

    assert (job.status, job.result, job.done) == (JobStatus.SUCCEEDED, {"pages": 40}, 40)
    assert pages == list(range(40))
