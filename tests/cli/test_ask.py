import json

from tests.cli.conftest import Answer, FakeService, Run

ASK = "/v1/worlds/w/ask"
CITATION = {"document_id": "place/gate", "title": "The Gate", "quote": "It shuts at nine.", "score": 1.0}
DONE = {"answer": "At nine. Sharp.", "refused": False, "reason": None, "citations": [CITATION]}
STREAM = (("delta", {"text": "At nine."}), ("delta", {"text": " Sharp."}), ("usage", {}), ("done", DONE))


def test_the_answer_is_followed_by_its_quotes(run: Run, service: FakeService) -> None:
    service.answers("POST", ASK, Answer(events=STREAM))
    outcome = run("ask", "When?", "--world", "w")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "At nine. Sharp.\n[1] The Gate (place/gate): “It shuts at nine.”\n"


def test_a_refusal_is_an_answer_too(run: Run, service: FakeService) -> None:
    done = {"answer": "The lore does not say.", "refused": True, "reason": "not_in_lore", "citations": []}
    service.answers("POST", ASK, Answer(events=(("done", done),)))
    outcome = run("ask", "Who?", "--world", "w")
    assert (outcome.code, outcome.out) == (0, "The lore does not say.\n")
    assert "not_in_lore" in outcome.err


def test_json_is_the_whole_answer_on_one_line(run: Run, service: FakeService) -> None:
    service.answers("POST", ASK, Answer(events=STREAM))
    outcome = run("ask", "When?", "--world", "w", "--json")
    assert json.loads(outcome.out) == DONE
    assert outcome.out.count("\n") == 1


def test_a_problem_in_the_stream_ends_the_command_as_one_before_it_would(run: Run, service: FakeService) -> None:
    service.answers("POST", ASK, Answer(events=(STREAM[0], ("error", {"status": 502, "detail": "The model failed."}))))
    outcome = run("ask", "When?", "--world", "w")
    assert outcome.code == 3
    assert "error: The model failed." in outcome.err


def test_a_stream_that_breaks_off_is_no_answer(run: Run, service: FakeService) -> None:
    service.answers("POST", ASK, Answer(events=STREAM[:2]))
    for options in ([], ["--json"]):
        outcome = run("ask", "When?", "--world", "w", *options)
        assert outcome.code == 3
        assert "broke off" in outcome.err
