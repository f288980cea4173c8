import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, FakeService, Run

WORLD, LORE, SEARCH = "/v1/worlds/w", "/v1/worlds/w/lore", "/v1/worlds/w/lore/search"
STORED = {"world": "w", "title": "W", "description": "", "locale": "en", "dialogue": {"model": "m"}, "version": 4}


def scored(service: FakeService, *scores: float) -> None:
    service.answers("POST", SEARCH, *(Answer({"hits": [], "gate": {"score": score}}) for score in scores))


@pytest.fixture
def questions(tmp_path: Path, service: FakeService) -> Path:
    """Two that the lore answers, scored .9 and .8, and two that it does not, scored .2 and .1."""
    file = tmp_path / "questions.jsonl"
    lines = [{"question": "q", "gold": ["a"]}, {"question": "q", "gold": ["b", "a"]}, {"question": "q", "gold": []}]
    file.write_text("\n".join(map(json.dumps, [*lines, {"question": "q", "kind": "without gold"}])))
    scored(service, 0.9, 0.8, 0.2, 0.1)
    service.answers("GET", LORE, Answer({"items": [{"document_id": "a"}], "next_cursor": None}))
    for name in ("a", "b"):
        service.answers("GET", f"{LORE}/{name}", Answer({"document_id": name}))
    service.answers("GET", WORLD, Answer({**STORED, "gate_threshold": None}))
    service.answers("PUT", WORLD, Answer(STORED))
    return file


def test_the_best_threshold_lies_between_the_two_kinds(run: Run, service: FakeService, questions: Path) -> None:
    outcome = run("calibrate", str(questions), "--world", "w")
    assert outcome.code == 0
    assert "Best: 0.500, which refuses 0.0% of the answerable questions and 100.0% of the others." in outcome.out
    assert not [asked for asked in service.asked if asked.method == "PUT"]


def test_apply_stores_it_and_leaves_the_rest_of_the_world_alone(
    run: Run, service: FakeService, questions: Path
) -> None:
    found = json.loads(run("calibrate", str(questions), "--world", "w", "--apply", "--json").out)
    put = next(asked for asked in service.asked if asked.method == "PUT")
    kept = {name: STORED[name] for name in ("title", "description", "locale", "dialogue")}
    assert json.loads(put.body) == {**kept, "gate_threshold": found["chosen"]["threshold"]}
    assert put.headers["if-match"] == '"4"'
    assert found["applied"]


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"gold": ["a"]}', '{"question": "q", "gold": "a"}', '{"question": ""}']
)
def test_a_line_that_is_no_question_is_wrong_use(line: str, run: Run, questions: Path) -> None:
    questions.write_text(line)
    assert run("calibrate", str(questions), "--world", "w").code == 2


def test_each_trade_off_is_shown_once(run: Run, questions: Path) -> None:
    _, *rows, best, _ = run("calibrate", str(questions), "--world", "w").out.splitlines()
    assert [row.split() for row in rows] == [["0.500", "0.0%", "100.0%"]]
    assert best.startswith("Best: 0.500,")


def test_a_world_without_lore_fails_and_keeps_its_threshold(run: Run, service: FakeService, questions: Path) -> None:
    service.answers("GET", LORE, Answer({"items": [], "next_cursor": None}))
    outcome = run("calibrate", str(questions), "--world", "w", "--apply")
    assert outcome.code == 1
    assert "w holds no lore" in outcome.err
    assert {asked.method for asked in service.asked} == {"GET"}


@pytest.mark.parametrize(
    ("line", "counts"), [({"question": "q", "gold": ["a"]}, "1 and 0"), ({"question": "q"}, "0 and 1")]
)
def test_questions_of_one_kind_alone_fail(
    line: dict[str, Any], counts: str, run: Run, service: FakeService, questions: Path
) -> None:
    questions.write_text(json.dumps(line))
    outcome = run("calibrate", str(questions), "--world", "w", "--apply")
    assert outcome.code == 1
    assert f"there are {counts}." in outcome.err
    assert {asked.method for asked in service.asked} == {"GET"}


def test_documents_that_are_not_in_the_world_are_named(run: Run, service: FakeService, questions: Path) -> None:
    service.answers("GET", f"{LORE}/b", Answer({"status": 404, "detail": "No."}, 404))
    outcome = run("calibrate", str(questions), "--world", "w")
    assert outcome.code == 0
    assert "warning: not in w: b." in outcome.err


def test_a_question_of_another_world_is_left_out(run: Run, service: FakeService, questions: Path) -> None:
    with questions.open("a") as file:
        file.write('\n{"question": "q", "gold": ["dragon"]}')
    run("calibrate", str(questions), "--world", "w")
    assert [asked.path for asked in service.asked].count(SEARCH) == 4


def test_a_threshold_that_would_refuse_nothing_is_not_stored(run: Run, service: FakeService, questions: Path) -> None:
    scored(service, 0.1, 0.1, 0.9, 0.9)
    outcome = run("calibrate", str(questions), "--world", "w", "--apply")
    assert outcome.code == 1
    assert "nothing is stored" in outcome.err
    assert not [asked for asked in service.asked if asked.method == "PUT"]


def test_the_help_shows_the_format_of_a_line_whole(run: Run) -> None:
    shown = " ".join(run("calibrate", "--help").out.replace("│", " ").split())
    assert '{"question", "gold": [document ids]}' in shown
