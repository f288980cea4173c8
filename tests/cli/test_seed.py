import json

import pytest

from llmops_api.core.seeding import sample
from tests.cli.conftest import Answer, FakeService, Run

WORLD, INGESTS, JOB = "/v1/worlds/w", "/v1/worlds/w/ingests", "/v1/jobs/job_1"
GIVEN = sample()
CHARACTERS = [f"{WORLD}/characters/{name}" for name in GIVEN.characters]
LORE = [f"{WORLD}/lore/{document['id']}" for document in GIVEN.lore]


@pytest.fixture(autouse=True)
def accepting(service: FakeService) -> None:
    """Takes whatever is written to it; holds nothing yet."""
    for record in (WORLD, *CHARACTERS):
        service.answers("PUT", record, Answer({}, 201))
    job = {"job_id": "job_1", "status": "succeeded", "progress": {"done": 1, "total": 1}, "result": {}, "errors": []}
    service.answers("POST", INGESTS, Answer(job, 202))
    service.answers("GET", JOB, Answer(job))


def written(service: FakeService) -> list[str]:
    return [asked.path for asked in service.asked if asked.method in {"PUT", "POST"}]


def test_a_world_that_is_not_there_is_loaded_whole(run: Run, service: FakeService) -> None:
    outcome = run("seed", "--world", "w", "--json")
    assert json.loads(outcome.out) == {"world": "w", "documents": len(LORE), "characters": list(GIVEN.characters)}
    assert written(service) == [WORLD, INGESTS, *CHARACTERS]


def test_what_is_there_stays_as_its_writers_left_it(run: Run, service: FakeService) -> None:
    for record in (WORLD, *LORE, *CHARACTERS):
        service.answers("GET", record, Answer({}))
    outcome = run("seed", "--world", "w")
    assert outcome.code == 0
    assert written(service) == []
    assert f"{len(LORE)} lore documents and {len(CHARACTERS)} characters are left as they are" in outcome.err


def test_what_is_missing_is_added(run: Run, service: FakeService) -> None:
    for record in (WORLD, *LORE[1:], *CHARACTERS[1:]):
        service.answers("GET", record, Answer({}))
    assert run("seed", "--world", "w").out == "Loaded into w: 1 lore document and 1 character.\n"
    assert written(service) == [INGESTS, CHARACTERS[0]]
    upload = next(asked for asked in service.asked if asked.path == INGESTS)
    assert json.loads(upload.body)["id"] == GIVEN.lore[0]["id"]


def test_force_overwrites(run: Run, service: FakeService) -> None:
    for record in (WORLD, *LORE, *CHARACTERS):
        service.answers("GET", record, Answer({}))
    run("seed", "--world", "w", "--force")
    assert written(service) == [WORLD, INGESTS, *CHARACTERS]
