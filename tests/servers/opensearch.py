"""A real OpenSearch for the tests, in processes of its own; `OPENSEARCH_URL` in the environment names another one."""

import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.servers import opensearch_libraries
from tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
STARTING_SECONDS = 120.0
ATTEMPTS = 3


class OpenSearchNode:
    """One node; `start` after `kill` brings the same one back: its port, its data."""

    def __init__(self, folder: Path, name: str = "node") -> None:
        self.folder = folder
        self.name = name
        self.port = free_port()
        self.transport_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"discovery.type": "single-node"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start; nodes that need each other are all launched before one is waited for."""
        settings = {
            "cluster.name": "tests",
            "node.name": self.name,
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": self.transport_port,
            # A disk that is nearly full is no reason to refuse a test's few documents.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            **self.settings,
        }
        command = [sys.executable, "-m", "tests.servers.opensearch_node", str(self.folder / self.name)]
        command += [f"{name}={value}" for name, value in settings.items()]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C on the tests ends it by way of its standard input, after the tests.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )

    def wait(self) -> None:
        """Return when it answers."""
        assert self._process is not None
        until = time.monotonic() + STARTING_SECONDS
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"OpenSearch did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.1)

    def ready(self) -> bool:
        """Whether it answers, as a member of a cluster."""
        with suppress(OSError):
            return bool(self.get("/_cluster/health")["status"] != "red")
        return False

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            return orjson.loads(answer.read())

    def kill(self) -> None:
        """`kill -9`: it can tidy nothing up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    @property
    def _log(self) -> Path:
        return self.folder / f"{self.name}.log"


@contextmanager
def opensearch_cluster(folder: Path, count: int) -> Iterator[list[OpenSearchNode]]:
    """Nodes in processes of their own that have found each other and elected a cluster manager."""
    nodes = [OpenSearchNode(folder, f"node-{number}") for number in range(1, count + 1)]
    together = {
        "discovery.type": "zen",
        "discovery.seed_hosts": ",".join(f"127.0.0.1:{node.transport_port}" for node in nodes),
        "cluster.initial_cluster_manager_nodes": ",".join(node.name for node in nodes),
    }
    try:
        for node in nodes:
            node.settings |= together
            node.launch()
        for node in nodes:
            node.wait()
        nodes[0].get(f"/_cluster/health?wait_for_nodes={count}&timeout=60s")
        yield nodes
    finally:
        for node in nodes:
            node.kill()


@pytest.fixture(scope="session")
def opensearch_jars(request: pytest.FixtureRequest) -> None:
    """The jars are there; the first download on a machine is shown as it goes, whatever pytest captures."""
    if opensearch_libraries.folder().is_dir():
        return
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        # A process of its own: a test that asks for this late has closed its network already.
        command = [sys.executable, "-m", "tests.servers.opensearch_libraries"]
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def opensearch_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One node for the whole run; each test has a prefix of its own on it."""
    given = os.environ.get("OPENSEARCH_URL")
    if given:
        yield given
        return
    request.getfixturevalue("opensearch_jars")
    node = _started(tmp_path_factory.mktemp("opensearch"))
    try:
        yield node.url
    finally:
        node.kill()


@pytest.fixture
def opensearch_prefix() -> str:
    """Names of indexes that no other test uses."""
    return f"test-{uuid.uuid4().hex[:12]}-"


def _started(folder: Path) -> OpenSearchNode:
    """A node; on other ports when somebody else was quicker to listen."""
    for attempt in range(1, ATTEMPTS + 1):
        node = OpenSearchNode(folder, f"node-{attempt}")
        try:
            node.start()
        except RuntimeError:
            if attempt == ATTEMPTS:
                raise
        else:
            return node
    raise AssertionError("the last attempt returns or raises")
