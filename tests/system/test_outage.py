"""PostgreSQL goes away under a running service and comes back: callers are told, players get a line, nothing is restarted."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.postgresql import PostgreSQL
from tests.system.service import Service

LINES = ["Lost count. Start again.", "Cart coming. Ask me later."]
DIALOGUE = "/v1/worlds/w/characters/guard/dialogue"
DOCUMENTS = 600
BACK_SECONDS = 60
ENDS: dict[str, tuple[Callable[[PostgreSQL], None], Callable[[PostgreSQL], None]]] = {
    "stopped": (PostgreSQL.stop, PostgreSQL.start),
    "killed": (PostgreSQL.kill, PostgreSQL.start),
    "frozen": (PostgreSQL.freeze, PostgreSQL.thaw),
}


@pytest.fixture
def service(stoppable_postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Service]:
    """With a guard and a document."""
    with Service(tmp_path / "data", DATABASE_URL=stoppable_postgresql.url, EMBEDDER="none") as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        guard = {"name": "Joss", "fallback_lines": LINES}
        service.client.put("/v1/worlds/w/characters/guard", json=guard).raise_for_status()
        tower = {"title": "Tower", "text": "The tower was built by Ada."}
        service.client.put("/v1/worlds/w/lore/tower", json=tower).raise_for_status()
        yield service


@pytest.fixture
def game_key(service: Service) -> str:
    """Of a game server that has been served before."""
    key: str = service.client.post("/v1/keys", json={"name": "game", "scopes": ["game"]}).json()["key"]
    assert _talk(service, key)["spoken_by"] == "model"
    return key


def _talk(service: Service, key: str, **headers: str) -> dict[str, Any]:
    """What the guard says to the holder of this key."""
    headers["authorization"] = f"Bearer {key}"
    body = {"player_id": "p", "text": "Hello!", "deadline_ms": 3000}
    answer = service.client.post(DIALOGUE, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _until_ready(service: Service) -> None:
    until = time.monotonic() + BACK_SECONDS
    while service.client.get("/health/ready").status_code != 200:
        assert time.monotonic() < until, service.client.get("/health/ready").text
        time.sleep(0.1)


@pytest.mark.parametrize("end", ENDS)
def test_a_database_that_goes_is_told_and_one_that_is_back_is_used(
    service: Service, stoppable_postgresql: PostgreSQL, game_key: str, end: str
) -> None:
    """Ask and search: 503 with a typed problem; dialogue: a line of the guard's own; ready: why. Then all as before."""
    away, back = ENDS[end]
    away(stoppable_postgresql)

    for name in ("spoken", "spoken again"):
        said = _talk(service, game_key, **{"idempotency-key": name})
        assert (said["spoken_by"], said["reason"]) == ("authored", "upstream")
        assert said["text"] in LINES
    for path, body in (("ask", {"question": "Who built the tower?"}), ("lore/search", {"query": "tower"})):
        problem = service.client.post(f"/v1/worlds/w/{path}", json=body).json()
        assert (problem["status"], problem["code"], problem["backend"]) == (503, "backend_unavailable", "state")
    ready = service.client.get("/health/ready")
    states = {each["name"]: each for each in ready.json()["backends"]}
    assert ready.status_code == 503
    assert [name for name, each in states.items() if each["state"] == "failed" and each["detail"]] == ["state", "jobs"]
    assert service.client.get("/health/live").status_code == 200

    back(stoppable_postgresql)
    _until_ready(service)

    assert _talk(service, game_key, **{"idempotency-key": "spoken"})["spoken_by"] == "model"
    assert service.client.post("/v1/worlds/w/ask", json={"question": "Who built the tower?"}).json()["citations"]
    job = service.job(service.client.post("/v1/worlds/w/lore/reindex").json()["job_id"], seconds=180)
    assert job["status"] == "succeeded"


def test_a_job_goes_on_when_the_database_is_back(service: Service, stoppable_postgresql: PostgreSQL) -> None:
    """An ingest that loses the database in the middle ends by itself, complete."""
    lines = ({"id": f"place/{n}", "title": f"Tower {n}", "text": f"It has {n} bells."} for n in range(DOCUMENTS))
    headers = {"content-type": "application/x-ndjson"}
    content = "\n".join(map(json.dumps, lines))
    job_id = service.client.post("/v1/worlds/w/ingests", content=content, headers=headers).json()["job_id"]
    while not service.client.get(f"/v1/jobs/{job_id}").json()["progress"]["done"]:
        pass
    stoppable_postgresql.kill()
    time.sleep(3)
    stoppable_postgresql.start()
    _until_ready(service)

    job = service.job(job_id, seconds=180)

    assert (job["status"], job["result"]["documents"]) == ("succeeded", DOCUMENTS)


def test_a_service_without_its_database_still_ends_when_asked(
    service: Service, stoppable_postgresql: PostgreSQL
) -> None:
    stoppable_postgresql.stop()
    service.client.get("/health/ready")
    service.stop()
    stoppable_postgresql.start()
    service.start()
