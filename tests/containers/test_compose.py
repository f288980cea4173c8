"""The compose file: valid, up with one command on the embedded default, and with one profile on servers."""

import json
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.containers.engine import Engine
from tests.servers import opensearch_libraries
from tests.servers.ports import free_port

PROJECT = "llmops-api-compose-test"
QUESTION = {"question": "When does the Ember Gate close?"}


class Composition:
    """`docker compose` on our file, with what stands in for the images of others, on ports of its own."""

    def __init__(self, engine: Engine, image: str) -> None:
        self.engine = engine
        self.port, self.production_port = free_port(), free_port()
        jars = opensearch_libraries.folder()
        self.environment = {
            "IMAGE": image,
            "LLMOPS_PORT": str(self.port),
            "LLMOPS_PRODUCTION_PORT": str(self.production_port),
            "POSTGRES_PASSWORD": "a:pass/word@of the test",
            "PACKAGES": sysconfig.get_path("purelib"),
            "JARS": str(jars),
            "JARS_NAME": jars.name,
        }

    def __call__(self, *arguments: str, check: bool = True) -> str:
        files = ["--file=docker-compose.yml", "--file=tests/containers/compose.stand-ins.yml"]
        command = ["podman-compose", f"--project-name={PROJECT}", *files, *arguments]
        return self.engine.run(*command, env=self.environment, check=check).stdout

    def running(self) -> list[str]:
        """The names of the containers of this project."""
        label = f"--filter=label=com.docker.compose.project={PROJECT}"
        return self.engine.podman("ps", label, "--format={{.Names}}").stdout.split()

    def name(self, service: str) -> str:
        return f"{PROJECT}_{service}_1"

    def answer(self, service: str, port: int, path: str, body: Any = None) -> Any:
        """With the first key, as the README says where to find it; it waits until the service is there."""
        until = time.monotonic() + 60
        while True:
            key = self.engine.podman("exec", self.name(service), "cat", "/data/admin.key", check=False).stdout.strip()
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return json.load(answer)
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < until, self.engine.logs(self.name(service))
                time.sleep(0.2)


@pytest.fixture
def compose(engine: Engine, image: str) -> Iterator[Composition]:
    compose = Composition(engine, image)
    compose("--profile=production", "down", "--volumes", check=False)
    yield compose
    compose("--profile=production", "down", "--volumes")


@pytest.mark.parametrize("profile", [[], ["--profile", "production"]])
def test_the_file_is_valid_to_docker_s_own_reader(engine: Engine, profile: list[str]) -> None:
    engine.run("docker-compose", "--file=docker-compose.yml", *profile, "config", "--quiet")
    engine.run("check-jsonschema", "--builtin-schema=vendor.compose-spec", "docker-compose.yml")


def test_the_dockerfile_is_as_dockerfiles_should_be(engine: Engine) -> None:
    engine.run("hadolint", "Dockerfile", "tests/containers/postgresql/Dockerfile")


def test_up_is_the_service_alone_on_the_embedded_default(compose: Composition) -> None:
    compose("up", "--detach")

    answer = compose.answer("api", compose.port, "/v1/worlds/emberfall/ask", QUESTION)

    assert answer["citations"][0]["document_id"] == "place/ember-gate"
    assert compose.running() == [compose.name("api")]


@pytest.mark.usefixtures("opensearch_jars")
def test_the_production_profile_is_the_service_on_postgresql_and_opensearch(compose: Composition) -> None:
    production = "--profile=production"
    compose(production, "build", "postgresql")
    compose(production, "up", "--detach", "postgresql", "opensearch")
    # Where no systemd runs, Podman asks for no health by the clock, and its Compose does not wait for any.
    for server in ("postgresql", "opensearch"):
        compose.engine.wait_healthy(compose.name(server))
    compose(production, "up", "--detach", "api-production")

    answer = compose.answer("api-production", compose.production_port, "/v1/worlds/emberfall/ask", QUESTION)

    assert answer["citations"][0]["document_id"] == "place/ember-gate"
    assert sorted(compose.running()) == [compose.name(name) for name in ("api-production", "opensearch", "postgresql")]
    count = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9200/llmops-*/_count').read().decode())"
    documents = compose.engine.podman("exec", compose.name("opensearch"), "python", "-c", count).stdout
    assert json.loads(documents)["count"] > 0
    tables = compose.engine.podman(
        "exec", compose.name("postgresql"), "psql", "-h/tmp", "-Ullmops", "-Atc", "SELECT count(*) FROM pg_tables"
    )
    assert int(tables.stdout) > 0
