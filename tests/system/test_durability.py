"""What was acknowledged is there: after kill -9, under two hundred players at once, and for a request that is sent again."""

import asyncio
import threading
from pathlib import Path

import httpx2
import pytest

from tests.system.deployments import Deployment
from tests.system.service import ADMIN_KEY, Service

PLAYERS = 200
HEADERS = {"authorization": f"Bearer {ADMIN_KEY}"}


def _document(number: int) -> dict[str, str]:
    return {"title": f"Tower {number}", "text": f"The tower of number{number} stands alone."}


def test_acknowledged_documents_survive_a_kill(tmp_path: Path, settings: dict[str, str]) -> None:
    """Killed while documents are written: after the restart each acknowledged one is read and found."""
    acknowledged: list[int] = []
    with Service(tmp_path / "data", **settings, EMBEDDER="none") as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()

        def write() -> None:
            with httpx2.Client(base_url=service.url, headers=HEADERS) as client:
                for number in range(10_000):
                    try:
                        client.put(f"/v1/worlds/w/lore/tower-{number}", json=_document(number)).raise_for_status()
                    except httpx2.TransportError:
                        return
                    acknowledged.append(number)

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 60:
            assert writer.is_alive()
        service.kill()
        writer.join()
        service.start()

        for number in acknowledged:
            assert service.client.get(f"/v1/worlds/w/lore/tower-{number}").json()["title"] == f"Tower {number}"
            found = service.client.post("/v1/worlds/w/lore/search", json={"query": f"number{number}"}).json()["hits"]
            assert found[0]["document_id"] == f"tower-{number}"


def test_what_a_crash_left_between_record_and_index_is_mended(
    tmp_path: Path, deployment: Deployment, settings: dict[str, str]
) -> None:
    """The index is lost altogether: the next start builds it again from the records."""
    with Service(tmp_path / "data", **settings, EMBEDDER="none") as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        service.client.put("/v1/worlds/w/lore/tower", json=_document(1)).raise_for_status()
        service.kill()
        deployment.lose_index(service.data_dir, settings)
        service.start()

        hits: list[str] = []
        while not hits:
            answer = service.client.post("/v1/worlds/w/lore/search", json={"query": "number1"})
            hits = answer.json().get("hits", [])

    assert hits


@pytest.fixture
def talking(tmp_path: Path, settings: dict[str, str]) -> Service:
    """A service with a guard to talk to."""
    return Service(tmp_path / "data", **settings, EMBEDDER="none")


async def test_two_hundred_dialogues_on_one_save_lose_no_turn(talking: Service) -> None:
    """Half of them in one conversation, half in conversations of their own: each turn that was answered is kept."""
    with talking as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        service.client.put("/v1/worlds/w/characters/guard", json={"name": "Joss"}).raise_for_status()
        body = {"player_id": "p", "save_id": "s", "text": "Hello!", "deadline_ms": 60_000}
        dialogue = "/v1/worlds/w/characters/guard/dialogue"
        shared = service.client.post(dialogue, json=body).json()["conversation_id"]
        async with httpx2.AsyncClient(base_url=service.url, headers=HEADERS, timeout=120) as client:
            bodies = [body | ({"conversation_id": shared} if number % 2 else {}) for number in range(PLAYERS)]
            said = await asyncio.gather(*(client.post(dialogue, json=each) for each in bodies))
        answered = {turn["line_id"] for turn in (answer.json() for answer in said)}

        page = service.client.get("/v1/worlds/w/conversations", params={"save_id": "s", "limit": 500}).json()
        kept: set[str] = set()
        for conversation in page["items"]:
            turns = service.client.get(
                f"/v1/worlds/w/conversations/{conversation['conversation_id']}", params={"limit": 500}
            ).json()["turns"]
            kept |= {turn["line_id"] for turn in turns}

    assert len(answered) == PLAYERS
    assert answered <= kept
    assert len(kept) == PLAYERS + 1


def test_a_retried_line_is_said_once_also_after_a_kill(talking: Service) -> None:
    """The same Idempotency-Key: the same line, and one turn in the conversation."""
    with talking as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        service.client.put("/v1/worlds/w/characters/guard", json={"name": "Joss"}).raise_for_status()
        request = {"json": {"player_id": "p", "text": "Hello!"}, "headers": {"idempotency-key": "line-1"}}
        first = service.client.post("/v1/worlds/w/characters/guard/dialogue", **request).json()
        service.kill()
        service.start()
        again = service.client.post("/v1/worlds/w/characters/guard/dialogue", **request)
        turns = service.client.get(f"/v1/worlds/w/conversations/{first['conversation_id']}").json()["turns"]

    assert again.json() == first
    assert again.headers["idempotent-replayed"] == "true"
    assert len(turns) == 1


async def test_a_search_is_never_empty_while_the_index_is_built_anew(talking: Service) -> None:
    """Ten clients search all the time while the world is re-indexed three times over."""
    with talking as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        for number in range(100):
            service.client.put(f"/v1/worlds/w/lore/tower-{number}", json=_document(number)).raise_for_status()
        building = asyncio.Event()
        async with httpx2.AsyncClient(base_url=service.url, headers=HEADERS, timeout=60) as client:

            async def search(number: int) -> set[str]:
                versions = set()
                while not building.is_set():
                    answer = await client.post("/v1/worlds/w/lore/search", json={"query": f"number{number}"})
                    assert answer.json()["hits"][0]["document_id"] == f"tower-{number}", answer.text
                    versions.add(answer.json()["lore_version"])
                return versions

            searches = [asyncio.create_task(search(number)) for number in range(10)]
            for _ in range(3):
                started = await client.post("/v1/worlds/w/lore/reindex")
                job = await asyncio.to_thread(service.job, started.json()["job_id"])
                assert job["status"] == "succeeded"
            building.set()
            versions = set().union(*await asyncio.gather(*searches))

    assert len(versions) > 1
