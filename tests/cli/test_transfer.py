"""Export and import from the command line, against a stand-in for the service."""

import gzip
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from llmops_api.features.transfer.example import EXAMPLE
from tests.cli.conftest import Answer, FakeService, Run

FILE = EXAMPLE.encode()
COUNTS = {"world": 1, "lore-document": 1}
WORLD, EXPORT, IMPORT, JOB = (
    f"/v1/{each}" for each in ("worlds/w", "worlds/w/export", "worlds/w/import", "jobs/job_1")
)


def a_job(status: str = "succeeded", done: int = 3, **more: Any) -> dict[str, Any]:
    job = {"job_id": "job_1", "kind": "import", "status": status, "progress": {"done": done, "total": 3}}
    return {**job, "result": COUNTS if status == "succeeded" else None, "errors": [], "error_count": 0, **more}


@pytest.fixture(autouse=True)
def answers(service: FakeService) -> None:
    service.answers("GET", EXPORT, Answer(raw=FILE))
    service.answers("POST", IMPORT, Answer({"job_id": "job_1"}, 202))
    service.answers("GET", JOB, Answer(a_job("running", 1)), Answer(a_job()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "w.jsonl"
    file.write_bytes(FILE)
    return file


def sent(service: FakeService) -> list[tuple[str, bytes]]:
    return [(asked.path, asked.body) for asked in service.asked if asked.method == "POST"]


def test_a_world_is_written_to_a_file_of_its_name(run: Run, tmp_path: Path) -> None:
    outcome = run("export", "w")
    assert (outcome.code, outcome.out) == (0, "Exported w: 1 lore document, to w.jsonl.\n")
    assert (tmp_path / "w.jsonl").read_bytes() == FILE


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz"])
def test_nobody_but_its_owner_can_read_what_players_have_said(run: Run, tmp_path: Path, name: str) -> None:
    """Also where a file stood that others could read."""
    (tmp_path / name).touch(0o644)
    assert run("export", "w", "--output", name).code == 0
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_outcome_is_json_for_programs(run: Run, tmp_path: Path) -> None:
    told = json.loads(run("export", "w", "--output", "x.jsonl", "--json").out)
    assert told == {
        "world": "w",
        "file": "x.jsonl",
        "counts": COUNTS,
        "sha256": json.loads(EXAMPLE.splitlines()[-1])["sha256"],
    }


def test_standard_output_is_the_file_and_nothing_else(run: Run) -> None:
    outcome = run("export", "w", "--output", "-", "--json")
    assert (outcome.code, outcome.out) == (0, EXAMPLE)
    assert "Exported w" in outcome.err


def test_a_compressed_file_is_the_same_each_time(run: Run, tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        assert run("export", "w", "--output", name).code == 0
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == FILE


@pytest.mark.parametrize(
    "broken", [FILE[:-60], b"\n".join(FILE.splitlines()[:-1]) + b"\n", FILE.replace(b"mill", b"hill"), b""]
)
def test_an_export_that_breaks_off_leaves_what_was_there(
    broken: bytes, run: Run, service: FakeService, file: Path, tmp_path: Path
) -> None:
    service.answers("GET", EXPORT, Answer(raw=broken))
    outcome = run("export", "w")
    assert outcome.code == 3
    assert "broke off" in outcome.err
    assert file.read_bytes() == FILE
    assert sorted(each.name for each in tmp_path.iterdir()) == ["stdin", "w.jsonl"]


def test_a_world_that_is_not_there_is_wrong_use(run: Run, tmp_path: Path) -> None:
    assert run("export", "nowhere").code == 2
    assert not (tmp_path / "nowhere.jsonl").exists()


def test_a_file_is_sent_and_its_job_followed(run: Run, service: FakeService, file: Path) -> None:
    outcome = run("import", str(file), "--world", "w")
    assert (outcome.code, outcome.out) == (0, "Imported w: 1 lore document.\n")
    assert outcome.err.splitlines() == ["w: 1 of 3", "w: 3 of 3"]
    assert sent(service) == [(IMPORT, FILE)]
    assert json.loads(run("import", str(file), "-w", "w", "--json").out.splitlines()[-1]) == {
        "world": "w",
        "counts": COUNTS,
    }


def test_a_world_keeps_its_name_unless_another_is_given(run: Run, service: FakeService, file: Path) -> None:
    service.answers("POST", "/v1/worlds/driftwood/import", Answer({"job_id": "job_1"}, 202))
    assert run("import", str(file)).code == 0
    assert sent(service) == [("/v1/worlds/driftwood/import", FILE)]


def test_a_compressed_file_and_standard_input_are_read_too(run: Run, service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "w.jsonl.gz").write_bytes(gzip.compress(FILE))
    assert run("import", str(tmp_path / "w.jsonl.gz"), "--world", "w").code == 0
    assert run("import", "-", "--world", "w", stdin=EXAMPLE).code == 0
    assert sent(service) == [(IMPORT, FILE)] * 2


def test_what_is_cut_off_is_sent_as_far_as_it_goes(run: Run, service: FakeService, tmp_path: Path) -> None:
    """The service says that it is not whole."""
    (tmp_path / "w.jsonl.gz").write_bytes(gzip.compress(FILE * 99)[:-9])
    problem = {
        "status": 422,
        "detail": "Line 4 is wrong; nothing was imported.",
        "errors": [{"field": "", "message": "is missing"}],
    }
    service.answers("POST", IMPORT, Answer(problem, 422))
    outcome = run("import", str(tmp_path / "w.jsonl.gz"), "--world", "w")
    assert outcome.code == 2
    assert "Line 4 is wrong; nothing was imported.\n  body: is missing" in outcome.err


@pytest.mark.parametrize("name", ["lore.jsonl", "not.gz", "empty.jsonl", "nowhere.jsonl", "."])
def test_what_is_no_world_is_wrong_use_and_sends_nothing(
    name: str, run: Run, service: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "lore.jsonl").write_text('{"id": "a", "title": "A", "text": "b"}\n')
    (tmp_path / "not.gz").write_bytes(FILE)
    (tmp_path / "empty.jsonl").touch()
    outcome = run("import", str(tmp_path / name))
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert service.asked == []


def test_a_name_that_is_taken_is_wrong_use_and_sends_nothing(run: Run, service: FakeService, file: Path) -> None:
    service.answers("GET", WORLD, Answer({"world": "w"}))
    outcome = run("import", str(file), "--world", "w")
    assert outcome.code == 2
    assert "--world" in outcome.err
    assert sent(service) == []


def test_an_import_that_fails_exits_1(run: Run, service: FakeService, file: Path) -> None:
    service.answers("GET", JOB, Answer(a_job("failed", errors=[{"message": "The embedder is gone."}])))
    outcome = run("import", str(file), "--world", "w")
    assert outcome.code == 1
    assert "The embedder is gone." in outcome.err
