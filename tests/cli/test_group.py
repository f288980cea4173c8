import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest

from llmops_api.cli.group import SUMMARIES, load
from tests.cli.conftest import Run


def leaves() -> Iterator[Any]:
    for name in SUMMARIES:
        command = load(name)
        yield from getattr(command, "commands", {name: command}).items()


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_command_is_announced_with_the_first_sentence_of_its_own_help(name: str) -> None:
    assert load(name).help.split("\n")[0] == SUMMARIES[name]


@pytest.mark.parametrize(("name", "command"), list(leaves()))
def test_every_command_has_an_example_and_speaks_json(name: str, command: Any) -> None:
    assert command.epilog.startswith("Example: ")
    assert "llmops-api" in command.epilog
    assert any("--json" in parameter.opts for parameter in command.params)


def test_help_loads_neither_the_service_nor_a_client() -> None:
    """That is what keeps it quick."""
    look = "import sys\ntry: main(['--help'])\nexcept SystemExit: print(sorted(sys.modules), file=sys.stderr)"
    shown = subprocess.run(
        [sys.executable, "-c", f"from llmops_api.cli import main\n{look}"], capture_output=True, text=True, check=True
    )
    assert "calibrate" in shown.stdout
    assert not {"'aiohttp'", "'fastapi'", "'pydantic'", "'numpy'", "'uvicorn'"} & set(
        shown.stderr.strip("[]\n").split(", ")
    )


def test_a_misspelt_command_is_wrong_use_and_the_right_one_is_suggested() -> None:
    shown = subprocess.run([sys.executable, "-m", "llmops_api", "serch"], capture_output=True, text=True, check=False)
    assert shown.returncode == 2
    assert "search" in shown.stderr


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"{version('llmops-api')}\n"


@pytest.mark.parametrize("name", SUMMARIES)
def test_a_command_offers_nothing_that_is_not_its_own(name: str) -> None:
    assert not any("completion" in str(parameter.name) for parameter in load(name).params)
