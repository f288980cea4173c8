"""The service as it runs in a studio: a process of its own, spoken to over HTTP, killed when that is the point."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.servers.ports import free_port

ADMIN_KEY = "system-test-admin-key"
START_SECONDS = 60.0


class Service:
    """One server process on a data folder; `settings` are `LLMOPS_...` names without the prefix."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.settings = {"ADMIN_KEY": ADMIN_KEY, "SEED": "false", **settings}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx2.Client(base_url=self.url, headers={"authorization": f"Bearer {ADMIN_KEY}"}, timeout=60)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.client.close()

    def start(self) -> None:
        """Start, and return when it is ready."""
        environment = {**os.environ, "LLMOPS_DATA_DIR": str(self.data_dir), "LLMOPS_PORT": str(self.port)}
        environment |= {f"LLMOPS_{name}": value for name, value in self.settings.items()}
        log = (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "llmops_api", "serve"], env=environment, stdout=log, stderr=log
        )
        log.close()
        until = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the service did not start:\n{self.log()}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return self.client.get("/health/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def log(self) -> str:
        """What it has printed."""
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text(errors="replace")

    def kill(self) -> None:
        """`kill -9`: nothing can be tidied up."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it do nothing any more, as on a machine that stands still."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, as a deployment does."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def job(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        """The job, when it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            job: dict[str, Any] = self.client.get(f"/v1/jobs/{job_id}").json()
            if job["status"] not in {"queued", "running"}:
                return job
            time.sleep(0.05)
        raise RuntimeError(f"the job did not end:\n{self.log()}")
