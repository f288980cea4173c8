"""The build of CodeBuild: its phases, one after the other as CodeBuild runs them, in a clean clone against a registry here."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.containers.engine import ROOT, Engine
from tests.servers.ports import free_port

PART = "tests/core/test_sentences.py"
PHASES = ["install", "pre_build", "build", "post_build"]


@dataclass
class Registry:
    """A registry on loopback, as ECR is one."""

    address: str

    def wait(self) -> None:
        """Return when it answers."""
        until = time.monotonic() + 30
        while True:
            try:
                self.tags()
            except urllib.error.URLError:
                assert time.monotonic() < until
                time.sleep(0.1)
            else:
                return

    def tags(self) -> list[str]:
        with urllib.request.urlopen(f"http://{self.address}/v2/_catalog") as answer:
            names = json.load(answer)["repositories"]
        if not names:
            return []
        with urllib.request.urlopen(f"http://{self.address}/v2/{names[0]}/tags/list") as answer:
            return [f"{names[0]}:{tag}" for tag in json.load(answer)["tags"]]


@dataclass
class Build:
    """What CodeBuild does with the buildspec of a clone: a failed phase ends it where the phase says ABORT."""

    engine: Engine
    clone: Path
    registry: Registry
    succeeding: str = "1"
    output: str = ""
    commands: list[str] = field(default_factory=list)

    def run(self) -> bool:
        spec = yaml.safe_load((self.clone / "buildspec.yml").read_text())
        variables = {**spec["env"]["variables"], "REGISTRY": self.registry.address, "TEST_ARGS": PART}
        for phase in PHASES:
            if not self._phase(spec["phases"][phase], variables):
                self.succeeding = "0"
                if spec["phases"][phase].get("on-failure") == "ABORT":
                    break
        return self.succeeding == "1"

    def _phase(self, phase: dict[str, Any], variables: dict[str, str]) -> bool:
        """The commands of all phases share a shell: what one exports, the next ones have."""
        self.commands += phase["commands"]
        exports = [command for command in self.commands if command.startswith("export ")]
        script = "\n".join(["set -e", *exports, *phase["commands"]])
        given = {
            **variables,
            "CODEBUILD_BUILD_SUCCEEDING": self.succeeding,
            "CODEBUILD_RESOLVED_SOURCE_VERSION": self.commit,
            "AWS_DEFAULT_REGION": "eu-central-1",
        }
        done = self.engine.run("bash", "-c", script, check=False, cwd=self.clone, env=given, stderr=subprocess.STDOUT)
        self.output += done.stdout
        return done.returncode == 0

    @property
    def commit(self) -> str:
        return self.engine.run("git", "rev-parse", "HEAD", cwd=self.clone).stdout.strip()


@pytest.fixture
def registry(engine: Engine, tmp_path: Path) -> Iterator[Registry]:
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(yaml.safe_dump(settings))
    insecure = f'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "{address}"\ninsecure = true\n'
    (engine.folder / "registries.conf").write_text(insecure)
    process = subprocess.Popen(["docker-registry", "serve", str(tmp_path / "registry.yml")], stderr=subprocess.DEVNULL)
    registry = Registry(address)
    registry.wait()
    yield registry
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def clone(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is committed, and nothing else."""
    folder = tmp_path_factory.mktemp("buildspec") / "clone"
    engine.run("git", "clone", "--quiet", str(ROOT), str(folder))
    return folder


def test_the_build_tests_and_ships_the_commit_and_leaves_its_artifacts(
    engine: Engine, clone: Path, registry: Registry
) -> None:
    build = Build(engine, clone, registry)

    assert build.run(), build.output

    image = f"llmops-api:{build.commit}"
    assert registry.tags() == [image]
    definitions = json.loads((clone / "imagedefinitions.json").read_text())
    assert definitions == [{"name": "llmops-api", "imageUri": f"{registry.address}/{image}"}]
    suite = ET.parse(clone / "reports" / "junit.xml").getroot().find("testsuite")  # noqa: S314 - we wrote it
    assert suite is not None
    assert (int(suite.attrib["tests"]) > 0, suite.attrib["failures"]) == (True, "0")
    engine.podman("rmi", "--force", f"{registry.address}/{image}")


def test_a_broken_test_ends_the_build_and_nothing_is_pushed(engine: Engine, clone: Path, registry: Registry) -> None:
    (clone / "imagedefinitions.json").unlink(missing_ok=True)
    broken = clone / PART
    broken.write_text(broken.read_text() + "\n\ndef test_that_is_broken() -> None:\n    assert not __name__\n")
    build = Build(engine, clone, registry)

    assert not build.run()

    assert "test_that_is_broken" in build.output
    assert "make image" not in build.commands
    assert registry.tags() == []
    assert not (clone / "imagedefinitions.json").exists()


def test_after_a_failure_the_last_phase_pushes_nothing(engine: Engine, clone: Path, registry: Registry) -> None:
    """CodeBuild runs it even then, unless it is told to stop before."""
    spec = yaml.safe_load((clone / "buildspec.yml").read_text())
    build = Build(engine, clone, registry, succeeding="0")

    assert not build._phase(spec["phases"]["post_build"], {"REGISTRY": registry.address, "REPOSITORY": "llmops-api"})
    assert registry.tags() == []
