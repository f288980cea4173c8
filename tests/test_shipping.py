"""The files that build and start the image name what there is; `make image-test` runs them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops_api.adapters.bedrock.client import BedrockSettings
from llmops_api.settings import Settings

ROOT = Path(__file__).parents[1]


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_image_copies_files_that_exist_and_that_docker_may_see() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {source for line in copied for source in line.split()}

    assert sources == allowed
    assert all((ROOT / source).exists() for source in sources)


def test_what_the_image_leaves_out_is_in_the_lock() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements/runtime.lock").read_text(), re.MULTILINE))
    left_out = {
        line for line in (ROOT / "requirements/not-in-image.txt").read_text().splitlines() if not line.startswith("#")
    }

    assert left_out <= locked


def test_every_phase_of_the_build_ends_it_when_it_fails_and_asks_for_targets_that_exist() -> None:
    phases = read("buildspec.yml")["phases"]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {
        target
        for phase in phases.values()
        for command in phase["commands"]
        for target in re.findall(r"^make (\S+)", command)
    }

    assert asked
    assert asked <= targets
    assert {phase["on-failure"] for phase in phases.values()} == {"ABORT"}


@pytest.mark.parametrize("service", ["api", "api-production"])
def test_the_service_is_started_without_rights_and_within_this_machine(service: str) -> None:
    settings = read("docker-compose.yml")["services"][service]

    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in settings["ports"])


def test_production_waits_until_its_servers_are_healthy() -> None:
    services = read("docker-compose.yml")["services"]

    assert services["api-production"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in ("postgresql", "opensearch")
    }
    assert all("healthcheck" in services[name] for name in ("postgresql", "opensearch"))


def test_every_setting_is_handed_on_unless_compose_itself_decides_it() -> None:
    """Where the service listens and keeps its data, and whose credentials on this machine it may read."""
    decided = {"HOST", "PORT", "DATA_DIR", "DATABASE_URL", "LORE_INDEX", "BEDROCK__PROFILE"}
    bedrock = {f"BEDROCK__{name.upper()}" for name in BedrockSettings.model_fields}
    settings = {name.upper() for name in Settings.model_fields} | bedrock
    handed_on = read("docker-compose.yml")["x-settings"]

    assert {name.removeprefix("LLMOPS_") for name in handed_on if name.startswith("LLMOPS_")} == settings - decided


def test_no_password_stands_in_the_compose_file() -> None:
    assert set(re.findall(r"PASSWORD: (.*)", (ROOT / "docker-compose.yml").read_text())) == {"${POSTGRES_PASSWORD:-}"}
