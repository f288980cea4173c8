"""The service on an OpenSearch that refuses documents, builds indexes anew under load, goes away and comes back."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers.opensearch import OpenSearchNode
from tests.system.service import ADMIN_KEY, Service

CLIENTS = 20
GATE = {"title": "The gate", "text": "The iron gate closes at dusk."}
GUARD = {"name": "The Guard", "description": "Guards the gate.", "fallback_lines": ["Not now."]}
LINE = {"player_id": "p", "text": "When does the gate close?"}


def _settings(url: str, prefix: str) -> dict[str, str]:
    return {
        "LORE_INDEX": "opensearch",
        "OPENSEARCH__URL": url,
        "OPENSEARCH__PREFIX": prefix,
        "OPENSEARCH__REPLICAS": "0",
    }


@pytest.fixture
def service(tmp_path: Path, opensearch_url: str, opensearch_prefix: str) -> Iterator[Service]:
    """With a world of many gates, found by words and vectors."""
    with Service(tmp_path / "data", **_settings(opensearch_url, opensearch_prefix)) as service:
        _ingest(service, [{"id": f"gate-{n}", "title": f"Gate {n}", "text": f"Gate {n} closes."} for n in range(150)])
        yield service


def _ingest(service: Service, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The job when it has ended."""
    service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
    lines = "\n".join(json.dumps(each) for each in documents)
    headers = {"content-type": "application/x-ndjson"}
    started = service.client.post("/v1/worlds/w/ingests", content=lines, headers=headers).raise_for_status()
    return service.job(started.json()["job_id"])


def test_of_a_thousand_documents_two_that_are_refused_are_named_by_the_job(
    tmp_path: Path, opensearch_url: str, opensearch_prefix: str
) -> None:
    """The other 998 are in; a single one is the writer's 422, and nothing is kept of any that was refused."""
    with (
        Service(tmp_path / "data", **_settings(opensearch_url, opensearch_prefix), EMBEDDER="none") as service,
        httpx2.Client(base_url=opensearch_url) as cluster,
    ):
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        few = {"index.mapping.nested_objects.limit": 1}
        cluster.put(f"/{opensearch_prefix}*/_settings", json=few).raise_for_status()
        long = " ".join(f"Sentence {n} of a very long story." for n in range(200))
        documents = [
            {"id": f"d{n}", "title": f"T{n}", "text": long if n in {7, 600} else "Short."} for n in range(1000)
        ]

        job = _ingest(service, documents)

        assert (job["status"], job["error_count"], job["result"]["documents"]) == ("succeeded", 2, 998)
        assert {each["document_id"] for each in job["errors"]} == {"d7", "d600"}
        assert service.client.get("/v1/worlds/w/lore/d8").status_code == 200
        single = service.client.put("/v1/worlds/w/lore/single", json={"title": "T", "text": long})
        assert (single.status_code, single.json()["code"]) == (422, "documents_refused")
        for refused in ("d7", "d600", "single"):
            assert service.client.get(f"/v1/worlds/w/lore/{refused}").status_code == 404


async def test_a_reindex_under_the_searches_of_twenty_clients_leaves_none_empty_or_failed(service: Service) -> None:
    """Twice, so that the swap is met by many a search."""
    finished = asyncio.Event()
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}

    async def search(client: httpx2.AsyncClient) -> int:
        answered = 0
        while not finished.is_set():
            answer = await client.post("/v1/worlds/w/lore/search", json={"query": "when does gate 7 close"})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["hits"]) == 5
            answered += 1
        return answered

    async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
        searches = [asyncio.create_task(search(client)) for _ in range(CLIENTS)]
        for _ in range(2):
            job = (await client.post("/v1/worlds/w/lore/reindex")).raise_for_status().json()
            ended = await asyncio.to_thread(service.job, job["job_id"])
            assert (ended["status"], ended["result"]["documents"]) == ("succeeded", 150)
        finished.set()
        answered = await asyncio.gather(*searches)

    assert min(answered) > 0


@pytest.fixture
def node(opensearch_jars: None, tmp_path: Path) -> Iterator[OpenSearchNode]:
    """One that may be killed."""
    node = OpenSearchNode(tmp_path / "opensearch")
    node.start()
    yield node
    node.kill()


def test_an_opensearch_that_is_gone_is_said_and_that_is_back_is_used(tmp_path: Path, node: OpenSearchNode) -> None:
    """Ask and search answer 503, dialogue a line of its writer, ready says why; the service is never restarted."""
    with Service(tmp_path / "data", **_settings(node.url, "llmops-"), EMBEDDER="none") as service:
        post = service.client.post
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        service.client.put("/v1/worlds/w/lore/gate", json=GATE).raise_for_status()
        service.client.put("/v1/worlds/w/characters/guard", json=GUARD).raise_for_status()
        assert post("/v1/worlds/w/characters/guard/dialogue", json=LINE).json()["spoken_by"] == "model"

        node.kill()

        for answer in (
            post("/v1/worlds/w/lore/search", json={"query": "gate"}),
            post("/v1/worlds/w/ask", json={"question": "When does the gate close?"}),
            service.client.put("/v1/worlds/w/lore/other", json=GATE),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "backend_unavailable")
            assert answer.json()["backend"] == "lore"
        said = post("/v1/worlds/w/characters/guard/dialogue", json=LINE)
        assert (said.status_code, said.json()["spoken_by"], said.json()["text"]) == (200, "authored", "Not now.")
        ready = service.client.get("/health/ready")
        failing = [each for each in ready.json()["backends"] if each["state"] == "failed"]
        assert (ready.status_code, [each["name"] for each in failing]) == (503, ["lore"])
        assert "OpenSearch" in failing[0]["detail"]

        node.start()

        _eventually(lambda: service.client.get("/health/ready").status_code == 200)
        found = post("/v1/worlds/w/lore/search", json={"query": "gate"}).raise_for_status().json()["hits"]
        assert [hit["document_id"] for hit in found] == ["gate"]
        assert post("/v1/worlds/w/characters/guard/dialogue", json=LINE).json()["spoken_by"] == "model"
        service.client.put("/v1/worlds/w/lore/new", json={"title": "A fountain", "text": "Deep."}).raise_for_status()
        found = post("/v1/worlds/w/lore/search", json={"query": "fountain"}).json()["hits"]
        assert found[0]["document_id"] == "new"


def _eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)
