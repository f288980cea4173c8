"""Jobs on DBOS: the contract on both databases, processes that are killed, and what is left behind."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from dbos import DBOS

from llmops_api.adapters.dbos_jobs.runner import open_job_runner
from llmops_api.errors import BackendUnavailable
from tests.contracts.job_runner import JobRunnerContract, OpenJobRunner, Work
from tests.servers.postgresql import PostgreSQL

WORKER = """
import asyncio, sys
from llmops_api.adapters.dbos_jobs.runner import open_job_runner

async def main(url, upto, *job_ids):
    async def count(job_id):
        try:
            for number in range(int(upto)):
                print("at", job_id, number, flush=True)
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            print("stopped", job_id, flush=True)
            raise
        print("done", job_id, flush=True)

    async with open_job_runner(database_url=url) as runner:
        await runner.launch({"count": count})
        for job_id in job_ids:
            await runner.start(job_id, "count")
        print("launched", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Worker:
    """A process that counts in its jobs; what it prints are its lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    async def until(self, start: str) -> None:
        """Read on to a line that begins so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while not (self.lines and self.lines[-1].startswith(start)):
                line = await self._process.stdout.readline()
                assert line, f"it ended before {start!r}: {self.lines}"
                self.lines.append(line.decode().rstrip())

    async def kill(self) -> None:
        """With SIGKILL; then `lines` is all that it printed."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        rest, _ = await self._process.communicate()
        self.lines += rest.decode().splitlines()


@asynccontextmanager
async def a_worker(database_url: str, *job_ids: str, upto: int = 10) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, database_url, str(upto), *job_ids, stdout=asyncio.subprocess.PIPE
    )
    worker = Worker(process)
    try:
        await worker.until("launched")
        yield worker
    finally:
        await worker.kill()


class DBOSJobs(JobRunnerContract):
    """What holds on either database; supply `database_url`."""

    @pytest.fixture
    def open_runner(self, database_url: str) -> OpenJobRunner:
        return lambda: open_job_runner(database_url=database_url)

    async def test_a_job_goes_on_after_kill_minus_9_and_a_restart(self, database_url: str) -> None:
        async with a_worker(database_url, "job_1") as first:
            await first.until("at job_1 3")
            await first.kill()

        async with a_worker(database_url) as second:
            await second.until("done job_1")

        assert "at job_1 0" in second.lines

    async def test_a_second_process_leaves_the_jobs_of_a_living_one_alone(self, database_url: str) -> None:
        async with a_worker(database_url, "job_1", upto=60) as first:
            await first.until("at job_1 0")
            async with a_worker(database_url, "job_2", "job_3", "job_4", upto=1) as second:
                await first.until("done job_1")

        assert (first.lines + second.lines).count("at job_1 0") == 1

    async def test_cancelling_stops_a_job_that_runs_in_another_process(
        self, database_url: str, open_runner: OpenJobRunner
    ) -> None:
        async with a_worker(database_url, "job_1", upto=10_000) as other, open_runner() as runner:
            await runner.launch({})
            await other.until("at job_1 0")

            await runner.cancel("job_1")
            await other.until("stopped job_1")

        assert "done job_1" not in other.lines

    async def test_a_living_process_takes_over_the_jobs_of_a_dead_one(
        self, database_url: str, open_runner: OpenJobRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("llmops_api.adapters.dbos_jobs.runner._ADOPTION_SECONDS", 0.2)
        monkeypatch.setattr("llmops_api.adapters.dbos_jobs.runner._BEAT_SECONDS", 0.1)
        work = Work()
        async with a_worker(database_url, "job_1", upto=10_000) as first:
            await first.until("at job_1 0")
            async with open_runner() as runner:
                await runner.launch({"count": work.quick})
                await asyncio.sleep(1)
                assert work.calls == []

                await first.kill()
                await work.until(lambda: bool(work.calls))

        assert work.calls == ["job_1"]


class TestOnPostgreSQL(DBOSJobs):
    @pytest.fixture
    def database_url(self, postgresql_database: str) -> str:
        return postgresql_database

    async def test_processes_launch_at_once_on_an_empty_database(self, database_url: str) -> None:
        async def run(job_id: str) -> None:
            async with a_worker(database_url, job_id, upto=1) as worker:
                await worker.until("done")

        await asyncio.gather(run("job_1"), run("job_2"))

    async def test_a_process_that_lost_its_connections_keeps_its_jobs(self, database_url: str) -> None:
        """It takes its slot again before the other, which sees it free, would adopt them."""
        async with a_worker(database_url, "job_1", upto=400) as runs:
            await runs.until("at job_1 0")
            async with a_worker(database_url) as idles:
                for _ in range(2):
                    await asyncio.sleep(2)
                    with psycopg.connect(database_url, autocommit=True) as connection:
                        connection.execute(CUT)
                await runs.until("done job_1")

        assert "stopped job_1" not in runs.lines
        assert not any(line.startswith("at") for line in idles.lines)


class TestOnLostPostgreSQL:
    """A server that goes away for longer than a process may go on without knowing whether its jobs are still its own."""

    @pytest.fixture(autouse=True)
    def short_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, seconds in (("BEAT", 0.1), ("LEASE", 0.5), ("ADOPTION", 1)):
            monkeypatch.setattr(f"llmops_api.adapters.dbos_jobs.runner._{name}_SECONDS", seconds)

    async def test_its_jobs_stop_before_others_adopt_them_and_go_on_when_it_is_back(
        self, stoppable_postgresql: PostgreSQL
    ) -> None:
        work = Work()
        async with open_job_runner(database_url=stoppable_postgresql.url) as runner:
            await runner.launch({"slow": work.slow})
            await runner.start("job_1", "slow")
            await work.until(lambda: "job_1" in work.running)

            stoppable_postgresql.stop()
            await work.until(lambda: not work.running)
            for ask in (runner.ping(), runner.start("job_2", "slow"), runner.cancel("job_1")):
                with pytest.raises(BackendUnavailable):
                    await ask
            stoppable_postgresql.start()

            await work.until(lambda: "job_1" in work.running)
            await runner.ping()
        assert work.calls == ["job_1", "job_1"]


class TestOnSQLite(DBOSJobs):
    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        return f"sqlite+aiosqlite:///{tmp_path}/jobs.sqlite"

    async def test_a_folder_that_is_not_there_makes_it_unavailable(self, tmp_path: Path) -> None:
        async with open_job_runner(database_url=f"sqlite:///{tmp_path}/missing/jobs.sqlite") as runner:
            with pytest.raises(BackendUnavailable):
                await runner.launch({})

    async def test_a_process_has_one_runner(self, open_runner: OpenJobRunner) -> None:
        async with open_runner() as one, open_runner() as two:
            await one.launch({})
            with pytest.raises(BackendUnavailable, match="already"):
                await two.launch({})
            await one.ping()

    async def test_it_leaves_no_thread_and_says_nothing(
        self,
        open_runner: OpenJobRunner,
        work: Work,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        before = set(threading.enumerate())
        for _ in range(3):
            async with open_runner() as runner:
                await runner.launch({"quick": work.quick})
                await runner.start("job_1", "quick")
                await work.until(lambda: bool(work.calls))
        for thread in set(threading.enumerate()) - before:
            if not thread.name.startswith("asyncio_"):
                thread.join(timeout=10)
                assert not thread.is_alive(), thread.name

        assert capfd.readouterr() == ("", "")
        assert caplog.messages == []

    async def test_a_job_that_is_cancelled_as_it_ends_is_no_error(
        self, open_runner: OpenJobRunner, work: Work, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def work_to_the_end(job_id: str) -> None:
            await asyncio.to_thread(DBOS.cancel_workflow, job_id)

        async with open_runner() as runner:
            await runner.launch({"late": work_to_the_end, "quick": work.quick})
            await runner.start("job_1", "late")
            await asyncio.sleep(2)

        assert "was not recorded" in caplog.text
        assert "Traceback" not in caplog.text

    async def test_a_job_of_unknown_kind_waits_for_a_release_that_knows_it(
        self, open_runner: OpenJobRunner, work: Work
    ) -> None:
        async with open_runner() as runner:
            await runner.launch({"quick": work.quick})
            await runner.start("job_1", "new")
            await runner.start("job_2", "quick")
            await work.until(lambda: len(work.calls) == 1)

        async with open_runner() as runner:
            await runner.launch({"new": work.quick})
            await work.until(lambda: len(work.calls) == 2)

        assert work.calls[1] == "job_1"
