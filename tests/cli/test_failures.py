import pytest

from llmops_api.cli.failures import Refused
from tests.cli.conftest import Answer, FakeService, Run

SEARCH = "/v1/worlds/w/lore/search"


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (401, 2), (404, 2), (422, 2), (412, 2), (429, 3), (500, 3), (502, 3), (503, 3)]
)
def test_a_fault_of_the_request_exits_2_and_one_of_the_service_3(
    status: int, code: int, run: Run, service: FakeService
) -> None:
    service.answers("POST", SEARCH, Answer({"status": status, "detail": "No."}, status))
    outcome = run("search", "q", "--world", "w")
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith("error: No.\n")


def test_every_wrong_field_is_named_in_one_block() -> None:
    errors = [{"field": "/locale", "message": "is wrong", "hint": "Mend it."}, {"field": "", "message": "is empty"}]
    problem = {"status": 422, "detail": "2 fields are wrong.", "errors": errors, "trace_id": "abc"}
    assert str(Refused(problem)) == "2 fields are wrong.\n  /locale: is wrong (Mend it.)\n  body: is empty"


def test_a_fault_of_the_service_gives_its_trace() -> None:
    assert str(Refused({"status": 503, "detail": "Not now.", "trace_id": "abc"})) == "Not now.\n  trace abc"


def test_a_service_that_is_not_there_exits_3_without_a_traceback(run: Run) -> None:
    outcome = run("search", "q", "--world", "w", url="http://127.0.0.1:9")
    assert outcome.code == 3
    assert outcome.err.startswith("error: http://127.0.0.1:9 is out of reach")
    assert "Traceback" not in outcome.err


def test_something_else_behind_the_url_exits_3(run: Run, service: FakeService) -> None:
    service.answers("POST", SEARCH, Answer(events=(("html", "no JSON"),)))
    outcome = run("search", "q", "--world", "w")
    assert outcome.code == 3
    assert "does not answer as llmops-api does" in outcome.err


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://"])
def test_what_is_no_url_exits_2(url: str, run: Run) -> None:
    assert run("search", "q", "--world", "w", url=url).code == 2


def test_wrong_settings_exit_2_and_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_PORT", "99999")
    monkeypatch.setenv("LLMOPS_MODEL_ALIASES", "{}")
    outcome = run("serve")
    assert outcome.code == 2
    assert "LLMOPS_PORT must be" in outcome.err
    assert "LLMOPS_MODEL_ALIASES needs" in outcome.err
