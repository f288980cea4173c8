"""The image: small, without root, on a read-only root file system, soon up and well ended."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.containers.engine import ROOT, Engine
from tests.servers.ports import free_port

LIMIT = 350 * 2**20
BASE = 125 * 10**6
"""What `python:3.11-slim` of Docker Hub weighs; the base of these tests is made of Debian's packages and weighs more."""

KEY = "image-test-admin-key"
HARDENED = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]


class Container:
    """The service in a container that may write nothing but its volume and `/tmp`."""

    def __init__(self, engine: Engine, image: str, name: str, **settings: str) -> None:
        self.engine, self.image, self.name = engine, image, name
        self.settings = {"ADMIN_KEY": KEY, **settings}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        given = [f"--env=LLMOPS_{name}={value}" for name, value in self.settings.items()]
        publish = f"--publish=127.0.0.1:{self.port}:8000"
        self.engine.podman("run", "--detach", f"--name={self.name}", publish, *HARDENED, *given, self.image)

    def request(self, path: str, body: Any = None) -> Any:
        """The open answer of the service."""
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=60)

    def wait(self) -> None:
        """Return when it answers."""
        until = time.monotonic() + 60
        while True:
            try:
                self.request("/health/live").close()
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < until, self.engine.logs(self.name)
                time.sleep(0.05)
            else:
                return

    def stop(self, seconds: int = 60) -> "subprocess.Popen[bytes]":
        """SIGTERM, and SIGKILL after so many seconds; it goes on in the background."""
        command = ["podman", "stop", f"--time={seconds}", self.name]
        return subprocess.Popen(
            command, env=self.engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def exit_code(self) -> int:
        return int(self.engine.inspect("container", self.name)["State"]["ExitCode"])

    def remove(self) -> None:
        self.engine.podman("rm", "--force", "--volumes", "--ignore", self.name)


@pytest.fixture
def container(engine: Engine, image: str) -> Iterator[Container]:
    """One that talks slowly, since some tests stop it while it does; it is not started yet."""
    aliases = json.dumps({"default": "scripted:demo", "slow": "scripted:slow"})
    container = Container(engine, image, "llmops-api-image-test", MODEL_ALIASES=aliases)
    container.remove()
    yield container
    container.remove()


def test_the_image_says_what_it_is_and_runs_as(engine: Engine, image: str) -> None:
    config = engine.inspect("image", image)["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}

    assert config["User"] == "10001:10001"
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert list(config["Volumes"]) == ["/data"]
    assert config["Entrypoint"] == ["llmops-api"]
    assert (labels["title"], labels["licenses"]) == ("llmops-api", "Apache-2.0")
    assert re.fullmatch("[0-9a-f]{40}", labels["revision"])
    assert labels["version"] in (ROOT / "pyproject.toml").read_text()


def test_the_image_is_small_enough_with_its_embedder(engine: Engine, image: str) -> None:
    ours = engine.inspect("image", image)["Size"] - engine.inspect("image", "python:3.11-slim")["Size"]

    assert BASE + ours < LIMIT


def test_the_image_holds_no_tool_of_the_build(engine: Engine, image: str) -> None:
    look = "ls /opt/llmops-api/bin; find /opt /usr/bin -name strip -o -name '*.whl'"
    found = engine.podman("run", "--rm", "--entrypoint=sh", image, "-c", look).stdout.split()

    assert "llmops-api" in found
    assert not [name for name in found if name.startswith(("pip", "hatch")) or name.endswith(("strip", ".whl"))]


def test_a_request_of_the_readme_is_answered_without_root_and_on_a_read_only_root(container: Container) -> None:
    container.start()
    container.wait()

    answer = json.load(container.request("/v1/worlds/emberfall/ask", {"question": "When does the Ember Gate close?"}))

    assert answer["citations"][0]["document_id"] == "place/ember-gate"
    inside = container.engine.podman("exec", container.name, "sh", "-c", "id -u; touch /written", check=False)
    assert inside.stdout == "10001\n"


def test_the_health_check_knows_when_it_answers(container: Container) -> None:
    container.start()
    container.wait()

    assert container.engine.is_healthy(container.name)


def test_the_health_check_knows_when_nothing_answers(container: Container) -> None:
    container.engine.podman("run", "--detach", f"--name={container.name}", "--entrypoint=sleep", container.image, "60")

    assert not container.engine.is_healthy(container.name)


def test_an_open_stream_is_finished_before_it_ends(container: Container) -> None:
    container.settings["SHUTDOWN_GRACE_S"] = "30"
    container.start()
    container.wait()
    with container.request("/v1/text/generate", {"model": "slow", "prompt": "Speak.", "stream": True}) as stream:
        stream.readline()
        stopping = container.stop()
        rest = stream.read().decode()
    stopping.wait()

    assert "event: done" in rest
    assert container.exit_code() == 0
