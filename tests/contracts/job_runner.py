"""What every job runner must do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

import pytest

from llmops_api.errors import BackendUnavailable
from llmops_api.ports.jobs import JobRunner

OpenJobRunner = Callable[[], AbstractAsyncContextManager[JobRunner]]


class Work:
    """Handlers that tell what they were called with, and wait where a test wants them to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running: set[str] = set()
        self.stopped: list[str] = []
        self.gate = asyncio.Event()
        self.changed = asyncio.Condition()

    async def quick(self, job_id: str) -> None:
        await self._note(lambda: self.calls.append(job_id))

    async def broken(self, job_id: str) -> None:
        await self._note(lambda: self.calls.append(job_id))
        raise RuntimeError("broken")

    async def slow(self, job_id: str) -> None:
        await self._note(lambda: (self.calls.append(job_id), self.running.add(job_id)))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            await self._note(lambda: self.stopped.append(job_id))
            raise
        finally:
            await self._note(lambda: self.running.discard(job_id))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(condition)

    async def _note(self, change: Callable[[], object]) -> None:
        async with self.changed:
            change()
            self.changed.notify_all()


class JobRunnerContract:
    """Supply `open_runner`: each call opens a runner on the same durable state."""

    @pytest.fixture
    def work(self) -> Work:
        return Work()

    @pytest.fixture
    async def runner(self, open_runner: OpenJobRunner, work: Work) -> AsyncIterator[JobRunner]:
        async with open_runner() as runner:
            await runner.launch({"quick": work.quick, "slow": work.slow, "broken": work.broken})
            yield runner

    async def test_a_started_job_is_handled_with_its_id(self, runner: JobRunner, work: Work) -> None:
        await runner.start("job_1", "quick")
        await work.until(lambda: bool(work.calls))

        assert work.calls == ["job_1"]

    async def test_handlers_run_on_the_loop_that_launched(self, open_runner: OpenJobRunner) -> None:
        loops = asyncio.Queue[asyncio.AbstractEventLoop]()

        async def handler(_id: str) -> None:
            loops.put_nowait(asyncio.get_running_loop())

        async with open_runner() as runner:
            await runner.launch({"loop": handler})
            await runner.start("job_1", "loop")

            assert await loops.get() is asyncio.get_running_loop()

    async def test_the_same_id_again_starts_nothing(self, runner: JobRunner, work: Work) -> None:
        for _ in range(2):
            await runner.start("job_1", "quick")
        await work.until(lambda: len(work.calls) == 1)
        await runner.start("job_1", "quick")
        await runner.start("job_2", "quick")
        await work.until(lambda: "job_2" in work.calls)

        assert work.calls == ["job_1", "job_2"]

    async def test_two_jobs_run_at_once_and_the_others_wait(self, runner: JobRunner, work: Work) -> None:
        for number in range(4):
            await runner.start(f"job_{number}", "slow")
        await work.until(lambda: len(work.running) == 2)
        await asyncio.sleep(1)

        assert len(work.calls) == 2

        work.gate.set()
        await work.until(lambda: len(work.calls) == 4 and not work.running)

    async def test_cancelling_stops_a_running_job_at_its_await(self, runner: JobRunner, work: Work) -> None:
        await runner.start("job_1", "slow")
        await work.until(lambda: "job_1" in work.running)

        await runner.cancel("job_1")
        await work.until(lambda: not work.running)

        assert work.stopped == ["job_1"]

    async def test_a_job_cancelled_in_the_queue_never_runs(self, runner: JobRunner, work: Work) -> None:
        for job_id in ("job_1", "job_2", "job_3"):
            await runner.start(job_id, "slow")
        await work.until(lambda: len(work.running) == 2)

        await runner.cancel("job_3")
        work.gate.set()
        await runner.start("job_4", "slow")
        await work.until(lambda: "job_4" in work.calls)

        assert "job_3" not in work.calls

    async def test_a_cancelled_job_does_not_come_back(
        self, runner: JobRunner, open_runner: OpenJobRunner, work: Work
    ) -> None:
        await runner.start("job_1", "slow")
        await work.until(lambda: "job_1" in work.running)
        await runner.cancel("job_1")
        await runner.start("job_1", "slow")
        await runner.start("job_2", "quick")
        await work.until(lambda: len(work.calls) == 2)

        assert work.calls == ["job_1", "job_2"]

    async def test_cancelling_what_is_not_known_or_has_ended_is_no_error(self, runner: JobRunner, work: Work) -> None:
        await runner.start("job_1", "quick")
        await work.until(lambda: bool(work.calls))

        await runner.cancel("job_1")
        await runner.cancel("job_nobody")

    async def test_a_handler_that_raises_harms_no_other_job(self, runner: JobRunner, work: Work) -> None:
        for number in range(3):
            await runner.start(f"job_{number}", "broken")
        await runner.start("job_3", "quick")
        await work.until(lambda: len(work.calls) == 4)

        await runner.ping()

    async def test_closing_stops_a_running_job_which_goes_on_after_the_next_launch(
        self, open_runner: OpenJobRunner, work: Work
    ) -> None:
        async with open_runner() as runner:
            await runner.launch({"slow": work.slow})
            await runner.start("job_1", "slow")
            await work.until(lambda: "job_1" in work.running)
        assert work.stopped == ["job_1"]

        work.gate.set()
        async with open_runner() as runner:
            await runner.launch({"slow": work.slow})
            await work.until(lambda: len(work.calls) == 2)

        assert work.calls == ["job_1"] * 2

    async def test_a_queued_job_waits_for_the_next_launch(self, open_runner: OpenJobRunner, work: Work) -> None:
        async with open_runner() as runner:
            await runner.launch({"slow": work.slow})
            for job_id in ("job_1", "job_2", "job_3"):
                await runner.start(job_id, "slow")
            await work.until(lambda: len(work.running) == 2)
        work.gate.set()

        async with open_runner() as runner:
            await runner.launch({"slow": work.slow})
            await work.until(lambda: len(work.calls) == 5)

        assert set(work.calls) == {"job_1", "job_2", "job_3"}

    async def test_before_its_launch_it_is_unavailable(self, open_runner: OpenJobRunner) -> None:
        async with open_runner() as runner:
            with pytest.raises(BackendUnavailable):
                await runner.start("job_1", "quick")
            with pytest.raises(BackendUnavailable):
                await runner.ping()
