"""Two replicas on one PostgreSQL and one OpenSearch: what one of them does, the other knows."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.system.deployments import Production
from tests.system.service import ADMIN_KEY, Service

PLAYERS = 200
DOCUMENTS = 1500
SECONDS = 10
"""How long a replica may take to know; far more than it does, for a machine that is busy."""
DIALOGUE = "/v1/worlds/w/characters/guard/dialogue"
LINE = {"player_id": "p", "text": "Hello!", "deadline_ms": 60_000}


@pytest.fixture(scope="module")
def production(postgresql_url: str, opensearch_url: str) -> Iterator[Production]:
    with ExitStack() as stack:
        yield Production(postgresql_url, opensearch_url, stack)


@contextmanager
def _replicas(folder: Path, settings: dict[str, str]) -> Iterator[tuple[Service, Service]]:
    """Started at the same moment."""
    one, two = (Service(folder / name, **settings, EMBEDDER="none", SEED="true") for name in ("one", "two"))
    with ThreadPoolExecutor() as threads, ExitStack() as stack:
        starting = [threads.submit(stack.enter_context, replica) for replica in (one, two)]
        for each in starting:
            each.result()
        yield one, two


@pytest.fixture(scope="module")
def replicas(production: Production, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service]]:
    """On an empty database: one of them makes the tables and loads the sample world, or the other. With a guard."""
    with _replicas(tmp_path_factory.mktemp("replicas"), production.settings()) as (one, two):
        one.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        one.client.put("/v1/worlds/w/characters/guard", json={"name": "Joss"}).raise_for_status()
        yield one, two


def _lore(count: int) -> str:
    lines = ({"id": f"place/{n}", "title": f"Tower {n}", "text": f"Tower {n} has {n} bells."} for n in range(count))
    return "\n".join(map(json.dumps, lines))


def _begin_ingest(replicas: tuple[Service, Service], world: str) -> str:
    """Start an ingest, which the first replica runs; the job's id, once a part of its documents is in."""
    service, other = replicas
    other.freeze()
    service.client.put(f"/v1/worlds/{world}", json={"title": world}).raise_for_status()
    headers = {"content-type": "application/x-ndjson"}
    started = service.client.post(f"/v1/worlds/{world}/ingests", content=_lore(DOCUMENTS), headers=headers)
    job_id: str = started.raise_for_status().json()["job_id"]
    while not (job := service.client.get(f"/v1/jobs/{job_id}").json())["progress"]["done"]:
        assert job["status"] in {"queued", "running"}, job
    assert job["progress"]["done"] < DOCUMENTS
    other.thaw()
    return job_id


def _count(service: Service, world: str) -> int:
    found, cursor = 0, ""
    while cursor is not None:
        page = service.client.get(f"/v1/worlds/{world}/lore", params={"limit": 500, "cursor": cursor}).json()
        found, cursor = found + len(page["items"]), page["next_cursor"]
    return found


def test_two_that_start_at_once_seed_one_world(replicas: tuple[Service, Service]) -> None:
    for service in replicas:
        answer = service.client.post("/v1/worlds/emberfall/ask", json={"question": "When does the Ember Gate close?"})
        assert answer.json()["citations"]
        assert _count(service, "emberfall") == 64
        assert "Traceback" not in service.log()


def test_a_key_that_is_revoked_here_is_dead_there(replicas: tuple[Service, Service]) -> None:
    """Within seconds, although it was good there a moment ago."""
    here, there = replicas
    key = here.client.post("/v1/keys", json={"name": "game", "scopes": ["game"]}).json()
    headers = {"authorization": f"Bearer {key['key']}"}
    assert there.client.post(DIALOGUE, json=LINE, headers=headers).status_code == 200

    here.client.delete(f"/v1/keys/{key['key_id']}").raise_for_status()

    until = time.monotonic() + SECONDS
    while there.client.post(DIALOGUE, json=LINE, headers=headers).status_code != 401:
        assert time.monotonic() < until


def test_what_is_written_here_is_read_and_found_there(replicas: tuple[Service, Service]) -> None:
    """By the very next request: a document, a world, a character, and their removal."""
    here, there = replicas
    here.client.put("/v1/worlds/w/lore/tower", json={"title": "Tower", "text": "It hums."}).raise_for_status()
    found = there.client.post("/v1/worlds/w/lore/search", json={"query": "tower"}).json()["hits"]
    assert [hit["document_id"] for hit in found] == ["tower"]

    here.client.put("/v1/worlds/w/characters/smith", json={"name": "Ada"}).raise_for_status()
    assert there.client.get("/v1/worlds/w/characters/smith").json()["name"] == "Ada"

    here.client.delete("/v1/worlds/w/lore/tower").raise_for_status()
    here.client.delete("/v1/worlds/w/characters/smith").raise_for_status()
    assert there.client.post("/v1/worlds/w/lore/search", json={"query": "tower"}).json()["hits"] == []
    assert there.client.post("/v1/worlds/w/characters/smith/dialogue", json=LINE).status_code == 404


def test_a_world_is_indexed_anew_under_both(replicas: tuple[Service, Service]) -> None:
    """While one of them builds the new index, the other finds, and what it writes is in the new one."""
    here, there = replicas
    there.client.put("/v1/worlds/x", json={"title": "X"}).raise_for_status()
    for number in range(20):
        document = {"title": f"Tower {number}", "text": f"It is number{number}."}
        there.client.put(f"/v1/worlds/x/lore/{number}", json=document).raise_for_status()
    job_id = here.client.post("/v1/worlds/x/lore/reindex").json()["job_id"]
    there.client.put("/v1/worlds/x/lore/late", json={"title": "Late", "text": "It is latest."}).raise_for_status()
    while True:
        job = there.client.get(f"/v1/jobs/{job_id}").json()
        for query in ("number7", "latest"):
            assert there.client.post("/v1/worlds/x/lore/search", json={"query": query}).json()["hits"]
        if job["status"] == "succeeded":
            break
        assert job["status"] in {"queued", "running"}
    assert here.client.post("/v1/worlds/x/lore/search", json={"query": "latest"}).json()["hits"]


def test_a_conversation_goes_on_at_the_other(replicas: tuple[Service, Service]) -> None:
    """Turn and turn about; both read the whole of it."""
    here, there = replicas
    conversation = here.client.post(DIALOGUE, json=LINE).json()["conversation_id"]
    for service in (there, here, there):
        service.client.post(DIALOGUE, json=LINE | {"conversation_id": conversation}).raise_for_status()

    turns = [service.client.get(f"/v1/worlds/w/conversations/{conversation}").json()["turns"] for service in replicas]
    assert len(turns[0]) == 4
    assert turns[0] == turns[1]


def test_a_request_that_was_answered_here_is_not_done_again_there(replicas: tuple[Service, Service]) -> None:
    """The same Idempotency-Key: the same line, one turn; with another body it is refused there as here."""
    here, there = replicas
    headers = {"idempotency-key": "once"}
    first = here.client.post(DIALOGUE, json=LINE, headers=headers)
    again = there.client.post(DIALOGUE, json=LINE, headers=headers)
    other = there.client.post(DIALOGUE, json=LINE | {"text": "Farewell!"}, headers=headers)

    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422
    path = f"/v1/worlds/w/conversations/{first.json()['conversation_id']}"
    assert len(there.client.get(path).json()["turns"]) == 1


async def test_two_hundred_dialogues_on_one_save_over_both_lose_no_turn(replicas: tuple[Service, Service]) -> None:
    """Half of them in one conversation, half in conversations of their own, one after the other replica."""
    body = LINE | {"save_id": "s"}
    shared = replicas[0].client.post(DIALOGUE, json=body).json()["conversation_id"]
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx2.AsyncClient(headers=headers, timeout=120) as client:

        async def say(number: int) -> dict[str, Any]:
            of = {"conversation_id": shared} if number % 4 < 2 else {}
            answer = await client.post(f"{replicas[number % 2].url}{DIALOGUE}", json=body | of)
            return dict(answer.raise_for_status().json())

        said = await asyncio.gather(*(say(number) for number in range(PLAYERS)))
    answered = {turn["line_id"] for turn in said}

    for service in replicas:
        page = service.client.get("/v1/worlds/w/conversations", params={"save_id": "s", "limit": 500}).json()
        kept: set[str] = set()
        for conversation in page["items"]:
            path = f"/v1/worlds/w/conversations/{conversation['conversation_id']}"
            turns = service.client.get(path, params={"limit": 500}).json()["turns"]
            kept |= {turn["line_id"] for turn in turns}
        assert len(answered) == PLAYERS
        assert answered <= kept
        assert len(kept) == PLAYERS + 1


def test_a_job_is_seen_and_cancelled_from_the_other(replicas: tuple[Service, Service]) -> None:
    """Wherever it runs, its work stops within seconds."""
    here, there = replicas
    job_id = _begin_ingest(replicas, "cancelled")
    cancelled = [service.client.delete(f"/v1/jobs/{job_id}").json()["status"] for service in (there, here)]
    assert cancelled == ["cancelled", "cancelled"]

    until, before = time.monotonic() + SECONDS, -1
    while before != (before := _count(here, "cancelled")):
        assert time.monotonic() < until
        time.sleep(2)
    assert before < DOCUMENTS
    for service in replicas:
        assert service.client.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
        assert "Traceback" not in service.log()


def test_a_job_of_a_killed_replica_is_ended_by_the_other(production: Production, tmp_path: Path) -> None:
    """Killed with `kill -9` in the middle of an ingest: no document is lost, and nobody starts anything again."""
    with _replicas(tmp_path, production.settings()) as replicas:
        killed, survivor = replicas
        job_id = _begin_ingest(replicas, "towers")
        killed.kill()

        job = survivor.job(job_id)

        assert (job["status"], job["result"]["documents"]) == ("succeeded", DOCUMENTS)
        assert _count(survivor, "towers") == DOCUMENTS
        found = survivor.client.post("/v1/worlds/towers/lore/search", json={"query": f"tower {DOCUMENTS - 1}"})
        assert found.json()["hits"][0]["document_id"] == f"place/{DOCUMENTS - 1}"
