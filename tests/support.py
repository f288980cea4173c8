"""Stand-ins that several tests share: real ports, made visible or controllable."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import numpy as np
import orjson
from fastapi import FastAPI

from llmops_api.core.conversations import Reason, SpokenBy, Turn
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.retrieval import Retriever
from llmops_api.core.worlds import World, Worlds
from llmops_api.ports.embedding import Embedder, InputType, Vectors
from llmops_api.ports.jobs import JobHandler
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import StateStore

ADMIN_KEY = "test-admin-key-0123"
START = datetime(2026, 1, 1, 12, 0, 0, 900_000, tzinfo=UTC)


class Clock:
    """Stands until it is moved; with a `step`, every look at it takes that long."""

    def __init__(self, *, step: timedelta = timedelta()) -> None:
        self.now = START
        self._step = step

    def __call__(self) -> datetime:
        self.now += self._step
        return self.now

    def advance(self, **by: float) -> None:
        """By so many `seconds`, `hours` and so on."""
        self.now += timedelta(**by)


class CountingEmbedder:
    """Deterministic vectors from the letters of a text, and a record of everything that was embedded."""

    def __init__(self, embedder_id: str = "letters", languages: frozenset[str] | None = frozenset({"en"})) -> None:
        self.id = embedder_id
        self.dimensions = 32
        self.languages = languages
        self.documents: list[str] = []
        self.queries: list[str] = []

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        seen = self.documents if input_type is InputType.DOCUMENT else self.queries
        seen += inputs
        rows = np.zeros((len(inputs), self.dimensions), dtype=np.float32)
        for number, text in enumerate(inputs):
            for word in text.lower().split():
                rows[number, hashlib.sha256(word.encode()).digest()[0] % self.dimensions] += 1
        rows += 1e-3
        vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return vectors

    async def ping(self) -> None:
        pass


class IdleRunner:
    """A job runner for services that are given no job: it starts in no time, and fails whoever does start one."""

    async def launch(self, handlers: Mapping[str, JobHandler]) -> None:
        pass

    async def start(self, job_id: str, kind: str) -> None:
        raise AssertionError(f"a test that needs no jobs started one: {kind}")

    async def cancel(self, job_id: str) -> None:
        pass

    async def ping(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Library:
    """The worlds with their lore on one pair of stores, as one replica with this embedder sees them."""

    worlds: Worlds
    lore: LoreLibrary
    retriever: Retriever

    async def found(self, world: World, query: str, **more: Any) -> list[str]:
        """The ids of the documents that a search finds, best first."""
        return [hit.document_id for hit in (await self.retriever.search(world, query, **more)).hits]


def library_of(state: StateStore, index: LoreIndex, embedder: Embedder | None = None) -> Library:
    """A replica that has just started."""
    worlds = Worlds(state, index, embedder, lambda prefix: f"{prefix}_{uuid.uuid4().hex}")
    return Library(worlds, LoreLibrary(state, index, embedder, worlds), Retriever(index, embedder, worlds))


def client_of(app: FastAPI, key: str = ADMIN_KEY) -> httpx2.AsyncClient:
    """A client of the service in this process, with the admin key of the tests or another."""
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://service", headers=headers)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Start the service, and stop it at the end; its client has the admin key."""
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


async def ended(client: httpx2.AsyncClient, job_id: str) -> dict[str, Any]:
    """The job as it stands when it has ended."""
    while True:
        job: dict[str, Any] = (await client.get(f"/v1/jobs/{job_id}")).json()
        if job["status"] not in {"queued", "running"}:
            return job
        await asyncio.sleep(0.02)


def events_of(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, each with its data, without the comments."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in stream.strip().split("\n\n")]
    return [(block["event"], orjson.loads(block["data"])) for block in blocks if "event" in block]


def a_turn(number: int = 1) -> Turn:
    return Turn(
        turn_id=f"turn_{number}",
        line_id=f"line_{number}",
        player_text="When does the gate close?",
        text="At nine. Every night.",
        sentences=("At nine.", "Every night."),
        spoken_by=SpokenBy.MODEL,
        reason=Reason.DEADLINE,
        locale="en",
        citations=({"document_id": "place/gate", "title": "Gate", "quote": "It closes at nine.", "score": 0.5},),
        versions={"character": 1, "prompt": "npc-dialogue@1", "lore": "l.1"},
        model={"alias": "default", "provider": "scripted", "name": "demo"},
        usage={"input_tokens": 3, "output_tokens": 4, "cache_read_tokens": 0, "cache_write_tokens": 0},
        cost=None,
        timing={"total_ms": 1.5},
        facts={"hour": 21},
    )
