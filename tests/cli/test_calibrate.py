import json
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, FakeService, Run

WORLD, SEARCH = "/v1/worlds/w", "/v1/worlds/w/lore/search"
STORED = {"world": "w", "title": "W", "description": "", "locale": "en", "dialogue": {"model": "m"}, "version": 4}


@pytest.fixture
def questions(tmp_path: Path, service: FakeService) -> Path:
    """Two that the lore answers, scored .9 and .8, and two that it does not, scored .2 and .1."""
    file = tmp_path / "questions.jsonl"
    lines = [{"question": "q", "gold": gold} for gold in (["a"], ["b"], [], [])]
    file.write_text("\n".join(map(json.dumps, lines)))
    service.answers("POST", SEARCH, *(Answer({"hits": [], "gate": {"score": score}}) for score in (0.9, 0.8, 0.2, 0.1)))
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


@pytest.mark.parametrize("line", ["nonsense", '{"question": "q"}', "[]", '{"question": "q", "gold": ["a"]}'])
def test_questions_that_say_too_little_are_wrong_use(line: str, run: Run, questions: Path) -> None:
    questions.write_text(line)
    assert run("calibrate", str(questions), "--world", "w").code == 2
