"""The command line against the real service: one in its own process, and one on the data folder."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.service import Service

DOCUMENTS = 600


@pytest.fixture
def lore(tmp_path: Path) -> Path:
    file = tmp_path / "lore.jsonl"
    lines = ({"id": f"place/{n}", "title": f"Tower {n}", "text": f"Tower {n} has {n} bells."} for n in range(DOCUMENTS))
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


class Shell:
    """`llmops-api` in processes of their own, on one data folder."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._environment = {**os.environ, "LLMOPS_DATA_DIR": str(data_dir)}
        self._environment |= {f"LLMOPS_{name}": value for name, value in settings.items()}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "llmops_api", *arguments]
        return subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        """What it prints, once it has ended as expected."""
        return self._ended(*arguments, stdin=stdin, code=code)[0]

    def complaint(self, *arguments: str, code: int) -> str:
        """What it says on standard error, once it has ended as expected."""
        return self._ended(*arguments, stdin="", code=code)[1]

    def _ended(self, *arguments: str, stdin: str, code: int) -> tuple[str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(stdin, timeout=120)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    def json(self, *arguments: str, **options: Any) -> Any:
        return json.loads(self.run(*arguments, "--json", **options))


@pytest.fixture
def shell(tmp_path: Path, settings: dict[str, str]) -> Shell:
    return Shell(tmp_path / "data", **settings, EMBEDDER="none", SEED="false")


def test_a_fresh_folder_needs_no_service_and_no_key(shell: Shell) -> None:
    assert shell.json("seed")["world"] == "emberfall"
    assert shell.json("search", "When does the Ember Gate close?", "--world", "emberfall")["in_lore"]
    answer = shell.json("ask", "When does the Ember Gate close?", "--world", "emberfall")
    assert not answer["refused"]
    assert answer["citations"]


def test_one_talks_to_a_character_through_a_pipe(shell: Shell) -> None:
    shell.run("seed")
    lines = shell.run("chat", "guard", "--world", "emberfall", "--json", stdin="Good morning\nAnd you?\n").splitlines()
    events = [json.loads(line) for line in lines]
    done = [each["data"] for each in events if each["event"] == "done"]
    assert events[0]["event"] == "start"
    assert len(done) == 2
    assert done[0]["conversation_id"] == done[1]["conversation_id"]


def test_commands_find_the_service_that_runs_on_their_folder(
    tmp_path: Path, settings: dict[str, str], lore: Path
) -> None:
    with Service(tmp_path / "data", **settings, EMBEDDER="none") as service:
        shell = Shell(tmp_path / "data", **settings, ADMIN_KEY=service.settings["ADMIN_KEY"])
        shell.run("ingest", str(lore), "--world", "towers")
        assert service.client.get("/v1/worlds/towers").status_code == 200
        assert "/ingests 202" in service.log()


def test_the_key_of_the_first_start_is_found_too(tmp_path: Path, settings: dict[str, str]) -> None:
    shell = Shell(tmp_path / "data", **settings, EMBEDDER="none", SEED="false", PORT="0")
    with shell.start("serve", "--json") as server:
        assert server.stdout is not None
        ready = json.loads(server.stdout.readline())
        assert ready["key_in"] == str(tmp_path / "data" / "admin.key")
        assert shell.json("worlds", "list") == []
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in err
    assert shell.json("worlds", "list") == []


def test_a_key_of_one_scope_gets_no_further_than_that(shell: Shell, tmp_path: Path, settings: dict[str, str]) -> None:
    key = shell.run("keys", "create", "game server", "--scope", "game").strip()
    with Service(tmp_path / "data", **settings, EMBEDDER="none") as service:
        remote = Shell(tmp_path / "elsewhere", URL=service.url, KEY=key)
        assert remote.json("worlds", "list") == []
        remote.run("keys", "list", code=2)


@pytest.mark.parametrize(("end", "done"), [(signal.SIGKILL, 64), (signal.SIGINT, 0)])
def test_an_ingest_that_is_cut_off_and_run_again_ends_complete(
    end: signal.Signals, done: int, shell: Shell, lore: Path
) -> None:
    with shell.start("ingest", str(lore), "--world", "towers") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if f"of {DOCUMENTS}" in line and int(line.rsplit(" ", 3)[1]) >= done:
                break
        process.send_signal(end)
    result = shell.json("ingest", str(lore), "--world", "towers")
    assert result["documents"] == DOCUMENTS
    assert result["error_count"] == 0
    again = shell.json("ingest", str(lore), "--world", "towers")
    assert again["unchanged"] == DOCUMENTS
    hits = shell.json("search", "How many bells has tower 599?", "--world", "towers")["hits"]
    assert hits[0]["document_id"] == "place/599"


def test_a_port_that_is_taken_is_wrong_use(tmp_path: Path, settings: dict[str, str]) -> None:
    with Service(tmp_path / "data", **settings, EMBEDDER="none") as service:
        Shell(tmp_path / "other", **settings, EMBEDDER="none").run("serve", "--port", str(service.port), code=2)


@pytest.mark.parametrize(
    ("command", "name", "value", "sentence"),
    [
        ("serve", "LORE_INDEX", "nonsense", "LLMOPS_LORE_INDEX must be embedded or opensearch, not 'nonsense'."),
        (
            "models",
            "EMBEDDER",
            "scripted",
            "LLMOPS_EMBEDDER must be none or openai_compatible or bedrock or minilm, not 'scripted'.",
        ),
        (
            "models",
            "MODEL_ALIASES",
            '{"default": "gpt:4"}',
            "LLMOPS_OPENAI_COMPATIBLE or scripted or openai_compatible or bedrock or llama_cpp, not 'gpt'.",
        ),
    ],
)
def test_a_technology_that_is_not_there_ends_in_a_sentence_with_the_choices(
    command: str, name: str, value: str, sentence: str, tmp_path: Path
) -> None:
    shell = Shell(tmp_path / "data", PORT="0", SEED="false", **{name: value})
    assert shell.complaint(command, code=2).endswith(f"{sentence}\n")
