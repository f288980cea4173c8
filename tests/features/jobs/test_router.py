"""Long work over HTTP: seen and cancelled by those alone who may see its world."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from llmops_api.app import create_app
from llmops_api.bootstrap import open_backends
from llmops_api.ports.embedding import InputType, Vectors
from llmops_api.settings import Settings
from tests.support import CountingEmbedder, client_of, ended, serving


class Halting(CountingEmbedder):
    """Embeds nothing before `go` is set, so that an ingest stays under way."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        await self.go.wait()
        return await super().embed(inputs, input_type=input_type)


@pytest.fixture
def embedder() -> Halting:
    return Halting()


@pytest.fixture
async def app(settings: Settings, embedder: Halting) -> AsyncIterator[FastAPI]:
    """The service, on an embedder that halts."""
    async with open_backends(settings) as backends:
        yield create_app(settings, replace(backends, embedder=embedder))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """The service with the worlds `ours` and `theirs`."""
    async with serving(app) as client:
        for world in ("ours", "theirs"):
            await client.put(f"/v1/worlds/{world}", json={"title": world})
        yield client


async def _started(client: httpx2.AsyncClient, world: str = "theirs") -> str:
    line = orjson.dumps({"id": "bell", "title": "Bell", "text": "It rings."})
    answer = await client.post(
        f"/v1/worlds/{world}/ingests", content=line, headers={"content-type": "application/x-ndjson"}
    )
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


async def _bound(client: httpx2.AsyncClient, app: FastAPI, world: str, scope: str = "writer") -> httpx2.AsyncClient:
    made = await client.post("/v1/keys", json={"name": world, "scopes": [scope], "world": world})
    return client_of(app, made.json()["key"])


async def test_a_job_is_seen_in_its_own_world_alone(client: httpx2.AsyncClient, app: FastAPI) -> None:
    """Elsewhere it is as if there were none: it can neither be read, nor cancelled, nor told from one that is not."""
    job_id = await _started(client)
    async with await _bound(client, app, "ours") as stranger, await _bound(client, app, "theirs") as owner:
        missing = (await stranger.get("/v1/jobs/job_none")).json()
        refused = [await stranger.get(f"/v1/jobs/{job_id}"), await stranger.delete(f"/v1/jobs/{job_id}")]
        seen = await owner.get(f"/v1/jobs/{job_id}")

    for answer in refused:
        assert answer.status_code == 404
        assert [answer.json()[key] for key in ("code", "detail")] == [missing[key] for key in ("code", "detail")]
    assert seen.json()["status"] in {"queued", "running"}
    assert (seen.json()["world"], seen.json()["kind"]) == ("theirs", "ingest")


async def test_a_job_under_way_is_cancelled(client: httpx2.AsyncClient, embedder: Halting) -> None:
    """It stays cancelled, and what it had not done is not done."""
    job_id = await _started(client)
    cancelled = await client.delete(f"/v1/jobs/{job_id}")
    embedder.go.set()
    job = await ended(client, job_id)

    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (job["status"], job["result"], job["ended_at"]) == ("cancelled", None, cancelled.json()["ended_at"])
    assert (await client.get("/v1/worlds/theirs/lore/bell")).status_code == 404


async def test_a_job_that_has_ended_tells_what_came_of_it(client: httpx2.AsyncClient, embedder: Halting) -> None:
    """Cancelling it then changes nothing."""
    job_id = await _started(client)
    embedder.go.set()
    job = await ended(client, job_id)

    assert (job["job_id"], job["status"], job["progress"]) == (job_id, "succeeded", {"done": 1, "total": 1})
    assert (job["errors"], job["error_count"]) == ([], 0)
    assert job["created_at"] < job["ended_at"]
    assert (await client.delete(f"/v1/jobs/{job_id}")).json() == job


async def test_only_a_writer_may_see_jobs(client: httpx2.AsyncClient, app: FastAPI) -> None:
    job_id = await _started(client)
    async with await _bound(client, app, "theirs", "game") as game:
        answers = [await game.get(f"/v1/jobs/{job_id}"), await game.delete(f"/v1/jobs/{job_id}")]

    assert [answer.status_code for answer in answers] == [403, 403]
