import json

from tests.cli.conftest import Answer, FakeService, Run


def test_a_list_is_read_page_after_page(run: Run, service: FakeService) -> None:
    pages = [
        {"items": [{"world": name, "title": name, "locale": "en"}], "next_cursor": more}
        for name, more in (("a", "x"), ("b", None))
    ]
    service.answers("GET", "/v1/worlds", *map(Answer, pages))
    assert [each["world"] for each in json.loads(run("worlds", "list", "--json").out)] == ["a", "b"]
    assert [asked.query for asked in service.asked] == [{}, {"cursor": "x"}]


def test_a_world_that_is_there_is_not_created_again(run: Run, service: FakeService) -> None:
    service.answers("GET", "/v1/worlds/w", Answer({"world": "w"}))
    assert run("worlds", "create", "w").code == 1
    assert [asked.method for asked in service.asked] == ["GET"]


def test_a_world_is_created_with_its_title(run: Run, service: FakeService) -> None:
    service.answers("PUT", "/v1/worlds/w", Answer({"world": "w"}, 201))
    assert run("worlds", "create", "w", "--title", "My Game").code == 0
    assert json.loads(service.asked[-1].body) == {"title": "My Game", "description": "", "locale": "en"}


def test_a_world_is_deleted_only_by_someone_who_means_it(run: Run, service: FakeService) -> None:
    service.answers("DELETE", "/v1/worlds/w", Answer(status=204))
    assert run("worlds", "delete", "w").code == 1
    assert service.asked == []
    assert run("worlds", "delete", "w", "--yes").code == 0
    assert [asked.method for asked in service.asked] == ["DELETE"]


def test_a_new_key_is_alone_on_standard_output(run: Run, service: FakeService) -> None:
    service.answers("POST", "/v1/keys", Answer({"key_id": "key_1", "key": "llmops_1_secret"}, 201))
    outcome = run("keys", "create", "server", "--scope", "game", "--scope", "writer", "--world", "w")
    assert outcome.out == "llmops_1_secret\n"
    assert "key_1" in outcome.err
    assert json.loads(service.asked[0].body) == {"name": "server", "scopes": ["game", "writer"], "world": "w"}


def test_a_key_is_revoked(run: Run, service: FakeService) -> None:
    service.answers("DELETE", "/v1/keys/key_1", Answer(status=204))
    assert run("keys", "revoke", "key_1").code == 0


def test_an_id_never_leads_to_another_path(run: Run, service: FakeService) -> None:
    run("keys", "revoke", "../worlds/w")
    run("jobs", "show", "a/b?c")
    assert [asked.path for asked in service.asked] == ["/v1/keys/..%2Fworlds%2Fw", "/v1/jobs/a%2Fb%3Fc"]


def test_a_job_is_shown_with_its_errors(run: Run, service: FakeService) -> None:
    job = {"job_id": "job_1", "kind": "ingest", "status": "succeeded", "progress": {"done": 1, "total": 2}}
    errors = [{"line": 2, "field": "/text", "message": "Field required"}]
    service.answers("GET", "/v1/jobs/job_1", Answer({**job, "result": {"created": 1}, "errors": errors}))
    shown = run("jobs", "show", "job_1").out
    assert shown == "job_1 (ingest): succeeded, 1 of 2\n  created: 1\n  line 2: /text Field required\n"


def test_models_are_shown_with_the_reason_when_a_provider_is_silent(run: Run, service: FakeService) -> None:
    providers = [{"name": "vllm", "answers": False, "detail": "refused the connection"}]
    service.answers("GET", "/v1/models", Answer({"aliases": {"default": ["vllm:a", "vllm:b"]}, "providers": providers}))
    shown = run("models").out
    assert "vllm:a, vllm:b" in shown
    assert "refused the connection" in shown


def test_reindex_waits_until_the_new_index_answers(run: Run, service: FakeService) -> None:
    service.answers("POST", "/v1/worlds/w/lore/reindex", Answer({"job_id": "job_1"}, 202))
    job = {"job_id": "job_1", "progress": {"done": 0, "total": 0}, "errors": [], "result": {}}
    service.answers(
        "GET", "/v1/jobs/job_1", Answer({**job, "status": "running"}), Answer({**job, "status": "succeeded"})
    )
    assert run("reindex", "--world", "w").code == 0
    assert [asked.path for asked in service.asked].count("/v1/jobs/job_1") == 2
