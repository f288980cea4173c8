import json
from typing import Any

from tests.cli.conftest import Answer, FakeService, Run

SEARCH = "/v1/worlds/w/lore/search"


def a_hit(**more: Any) -> dict[str, Any]:
    return {"document_id": "place/gate", "title": "The Gate", "text": "It shuts\nat nine.", "score": 1.5, **more}


def test_hits_are_shown_a_line_each_with_their_rank(run: Run, service: FakeService) -> None:
    service.answers("POST", SEARCH, Answer({"hits": [a_hit(), a_hit(title="Two")], "in_lore": True}))
    lines = run("search", "gate", "--world", "w").out.splitlines()
    assert [line.split()[0] for line in lines] == ["#", "1", "2"]
    assert "place/gate  The Gate  It shuts at nine." in lines[1]


def test_the_options_become_the_request(run: Run, service: FakeService) -> None:
    service.answers("POST", SEARCH, Answer({"hits": [], "in_lore": False}))
    options = ["--mode", "keyword", "--limit", "3", "--tag", "a", "--tag", "b", "--kind", "c", "--locale", "de"]
    outcome = run("search", "gate", "--world", "w", *options)
    assert json.loads(service.asked[0].body) == {
        "query": "gate",
        "limit": 3,
        "mode": "keyword",
        "filter": {"tags_any": ["a", "b"], "kinds": ["c"]},
        "locale": "de",
        "explain": False,
    }
    assert service.asked[0].headers["authorization"] == "Bearer the-key"
    assert "does not hold an answer" in outcome.err


def test_explain_shows_both_ranks_and_leaves_out_what_was_not_found(run: Run, service: FakeService) -> None:
    why = {"keyword_rank": 7, "vector_rank": None, "cosine": None, "fused": 1.5}
    service.answers("POST", SEARCH, Answer({"hits": [a_hit(explanation=why)], "in_lore": True}))
    head, row = run("search", "gate", "--world", "w", "--explain").out.splitlines()
    assert head.split() == ["#", "score", "keyword", "vector", "cosine", "document", "title", "text"]
    assert row.split()[:4] == ["1", "1.500", "7", "place/gate"]


def test_json_is_the_answer_of_the_service_and_nothing_else(run: Run, service: FakeService) -> None:
    answer = {"hits": [a_hit()], "in_lore": False, "lore_version": "x"}
    service.answers("POST", SEARCH, Answer(answer))
    assert json.loads(run("search", "gate", "--world", "w", "--json").out) == answer
