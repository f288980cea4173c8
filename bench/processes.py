"""The processes that are measured: our service as it is served, its peers, and the upstream of all."""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import aiohttp
import psutil

ADMIN_KEY = "key-of-the-benchmark"
ROOT = Path(__file__).parent.parent
MODULE = (sys.executable, "-m")
LITELLM = Path(sys.executable).parent.parent / "litellm" / "bin" / "litellm"
"""In an environment of its own, which `make bench` fills."""
STARTING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves on a port of 127.0.0.1; it took `start_seconds` from its launch until it was ready."""

    port: int
    process: psutil.Process
    start_seconds: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def megabytes(self) -> float:
        """What it holds in memory (resident set)."""
        return self.process.memory_info().rss / 2**20

    @property
    def cpu_seconds(self) -> float:
        """What it has used of all processors so far."""
        times = self.process.cpu_times()
        return times.user + times.system


@asynccontextmanager
async def running_upstream() -> AsyncIterator[Server]:
    port = _free_port()
    async with _running(port, *MODULE, "bench.upstream", str(port), ready="/v1/models") as server:
        yield server


@asynccontextmanager
async def running_bedrock() -> AsyncIterator[Server]:
    """The tests' stand-in for Amazon Bedrock, whose models are as slow as their names say."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        command = (*MODULE, "tests.upstreams.bedrock_upstream", str(listening.fileno()))
        async with _running(
            listening.getsockname()[1], *command, ready="/stats", pass_fds=[listening.fileno()]
        ) as server:
            yield server


@asynccontextmanager
async def running_bare(upstream: Server | None = None) -> AsyncIterator[Server]:
    """The peer of `bench/bare.py`, under uvicorn as our service is."""
    port = _free_port()
    quiet = ("--no-access-log", "--log-level", "warning")
    environment = {"BENCH_UPSTREAM": f"{upstream.url}/v1" if upstream else ""}
    command = (*MODULE, "uvicorn", "bench.bare:app", "--port", str(port), *quiet)
    async with _running(port, *command, environment=environment) as server:
        yield server


@asynccontextmanager
async def running_litellm(upstream: Server) -> AsyncIterator[Server]:
    """The LiteLLM proxy as plain as it gets: one model, one key, one worker, no database, nothing logged."""
    port = _free_port()
    model = {"model": "openai/instant", "api_base": f"{upstream.url}/v1", "api_key": "none"}
    settings = {
        "model_list": [{"model_name": "default", "litellm_params": model}],
        "general_settings": {"master_key": ADMIN_KEY},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(settings, file)  # JSON is YAML
        file.flush()
        command = (str(LITELLM), "--config", file.name, "--host", "127.0.0.1", "--port", str(port))
        # Its prices come with it: it need not ask for newer ones.
        environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        async with _running(port, *command, ready="/health/readiness", environment=environment) as server:
            yield server


@asynccontextmanager
async def running_service(
    *, folder: Path | None = None, upstream: Server | None = None, **settings: str
) -> AsyncIterator[Server]:
    """`llmops-api serve` on a data folder, a fresh one unless given; its default model is the upstream's, if given.

    `settings` are names of the environment without their prefix.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory() as fresh:
        given = {"DATA_DIR": str(folder or fresh), "ADMIN_KEY": ADMIN_KEY, "SEED": "false", **settings}
        if upstream is not None:
            given["OPENAI_COMPATIBLE"] = json.dumps({"upstream": {"base_url": f"{upstream.url}/v1"}})
            given["MODEL_ALIASES"] = json.dumps({"default": "upstream:instant"})
        environment = {f"LLMOPS_{name}": value for name, value in given.items()}
        async with _running(
            port, *MODULE, "llmops_api", "serve", "--port", str(port), environment=environment
        ) as server:
            yield server


@asynccontextmanager
async def _running(
    port: int,
    *command: str,
    ready: str = "/health/ready",
    pass_fds: Sequence[int] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Server]:
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log, pass_fds=pass_fds
        )
        try:
            if not await _is_ready(f"http://127.0.0.1:{port}{ready}", process):
                log.seek(0)
                raise RuntimeError(f"'{' '.join(command)}' did not start:\n{log.read().decode()}")
            yield Server(port, psutil.Process(process.pid), time.perf_counter() - started)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _is_ready(url: str, process: asyncio.subprocess.Process) -> bool:
    until = time.monotonic() + STARTING_SECONDS
    async with aiohttp.ClientSession() as session:
        while process.returncode is None and time.monotonic() < until:
            with suppress(aiohttp.ClientConnectionError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return True
            await asyncio.sleep(0.005)
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
