import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, FakeService, Run

WORLD, INGESTS, JOB = "/v1/worlds/w", "/v1/worlds/w/ingests", "/v1/jobs/job_1"
COUNTS = {"documents": 3, "created": 1, "updated": 1, "unchanged": 1}


def a_job(status: str = "succeeded", done: int = 3, **more: Any) -> dict[str, Any]:
    job = {"job_id": "job_1", "kind": "ingest", "status": status, "progress": {"done": done, "total": 3}}
    return {**job, "result": COUNTS if status == "succeeded" else None, "errors": [], "error_count": 0, **more}


@pytest.fixture(autouse=True)
def world(service: FakeService) -> None:
    service.answers("GET", WORLD, Answer({"world": "w"}))
    service.answers("POST", INGESTS, Answer({"job_id": "job_1"}, 202))
    service.answers("GET", JOB, Answer(a_job("queued", 0)), Answer(a_job("running", 1)), Answer(a_job()))


@pytest.fixture
def lore(tmp_path: Path) -> Path:
    file = tmp_path / "lore.jsonl"
    file.write_text('{"id": "a"}\n')
    return file


def uploads(service: FakeService) -> list[bytes]:
    return [asked.body for asked in service.asked if asked.path == INGESTS]


def test_a_file_is_uploaded_and_its_job_followed_to_the_end(run: Run, service: FakeService, lore: Path) -> None:
    outcome = run("ingest", str(lore), "--world", "w")
    assert (outcome.code, outcome.out) == (0, "3 documents: 1 created, 1 updated, 1 unchanged.\n")
    assert outcome.err.splitlines() == [f"{lore}: {done} of 3" for done in (0, 1, 3)]
    assert uploads(service) == [b'{"id": "a"}\n']
    assert not [asked for asked in service.asked if asked.method == "PUT"]


def test_a_world_that_is_not_there_is_created(run: Run, service: FakeService, lore: Path) -> None:
    service.answers("GET", WORLD, Answer({"status": 404, "detail": "No."}, 404))
    service.answers("PUT", WORLD, Answer({"world": "w"}, 201))
    assert run("ingest", str(lore), "--world", "w", "--locale", "de").code == 0
    created = next(asked for asked in service.asked if asked.method == "PUT")
    assert json.loads(created.body) == {"title": "w", "locale": "de"}


def test_bad_lines_are_named_and_exit_1(run: Run, service: FakeService, lore: Path) -> None:
    errors = [{"line": 7, "field": "/text", "document_id": None, "message": "Field required"}]
    service.answers("GET", JOB, Answer(a_job(errors=errors, error_count=12)))
    outcome = run("ingest", str(lore), "--world", "w")
    assert outcome.code == 1
    assert f"{lore}:7: /text Field required\n... and 11 more\n" in outcome.err
    as_json = run("ingest", str(lore), "--world", "w", "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out) == {**COUNTS, "error_count": 12, "errors": [{"file": str(lore), **errors[0]}]}


def test_a_folder_gives_its_files_of_lore_and_names_texts_from_there(
    run: Run, service: FakeService, lore: Path
) -> None:
    (lore.parent / "deep").mkdir()
    (lore.parent / "deep" / "Käse.md").write_text("# Käse\nYellow.")
    (lore.parent / "note.txt").write_text("A note.")
    (lore.parent / "picture.png").write_bytes(b"\x89PNG")
    outcome = run("ingest", str(lore.parent), "--world", "w", "--json")
    assert json.loads(outcome.out)["documents"] == 6
    first, second = uploads(service)
    assert first == b'{"id": "a"}\n'
    assert 'filename="deep/Käse.md"'.encode() in second
    assert b'filename="note.txt"' in second
    assert b"PNG" not in second


def test_two_files_that_would_be_one_document_are_refused_before_anything_is_sent(
    run: Run, service: FakeService, tmp_path: Path
) -> None:
    for folder in ("places", "people"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "index.md").write_text(folder)
    places, people = tmp_path / "places", tmp_path / "people"
    outcome = run("ingest", str(places), str(people), "--world", "w")
    assert outcome.code == 2
    assert f"{places / 'index.md'} and {people / 'index.md'} would both be the document index." in outcome.err
    assert "Rename one" in outcome.err
    (tmp_path / "index.txt").touch()
    assert run("ingest", str(places), str(tmp_path / "index.txt"), "--world", "w").code == 2
    assert service.asked == []


def test_a_file_that_is_given_twice_is_sent_once(run: Run, service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("A note.")
    assert run("ingest", str(tmp_path), str(tmp_path / "note.md"), "--world", "w").code == 0
    assert [body.count(b"A note.") for body in uploads(service)] == [1]


def test_one_document_is_not_counted_in_the_plural(run: Run, service: FakeService, lore: Path) -> None:
    service.answers("GET", JOB, Answer(a_job(result={**COUNTS, "documents": 1})))
    assert run("ingest", str(lore), "--world", "w").out.startswith("1 document: ")


def test_standard_input_is_json_lines(run: Run, service: FakeService) -> None:
    assert run("ingest", "-", "--world", "w", stdin='{"id": "b"}\n').code == 0
    assert uploads(service) == [b'{"id": "b"}\n']


@pytest.mark.parametrize("name", ["lore.pdf", "nowhere.jsonl", "loop.jsonl", "empty"])
def test_what_cannot_be_ingested_is_wrong_use_and_sends_nothing(
    name: str, run: Run, service: FakeService, tmp_path: Path
) -> None:
    (tmp_path / "lore.pdf").touch()
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    (tmp_path / "empty").mkdir()
    assert run("ingest", str(tmp_path / name), "--world", "w").code == 2
    assert service.asked == []


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_did_not_succeed_exits_1(status: str, run: Run, service: FakeService, lore: Path) -> None:
    service.answers("GET", JOB, Answer(a_job(status, errors=[{"message": "The embedder is gone."}])))
    outcome = run("ingest", str(lore), "--world", "w")
    assert (outcome.code, outcome.out) == (1, "")
    assert f"error: job_1 is {status}.\n  The embedder is gone." in outcome.err


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_find_it(run: Run, service: FakeService, lore: Path) -> None:
    service.answers("GET", JOB, Answer(a_job("running"), before=lambda: os.kill(os.getpid(), signal.SIGINT)))
    outcome = run("ingest", str(lore), "--world", "w")
    assert outcome.code == 130
    assert "llmops-api jobs show job_1" in outcome.err
    assert not [asked for asked in service.asked if asked.method == "DELETE"]
