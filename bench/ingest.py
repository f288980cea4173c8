"""Bulk ingest over HTTP, from the upload until the job has succeeded, against the bare embedder on the same passages.

The peer does nothing but embed; ingest also reads, splits, stores, indexes and keeps a durable job.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import aiohttp

from bench.processes import ADMIN_KEY, Server, running_service
from bench.tables import show
from llmops_api.adapters.minilm import open_embedder
from llmops_api.core.documents import Document, chunks_of
from llmops_api.core.seeding import sample
from llmops_api.ports.embedding import Embedder, InputType

COPIES = 10
"""Of the sample world, in one upload."""
ROUNDS = 3
WORLD = "/v1/worlds/bench"


async def main() -> None:
    """Print the table: passages a second, the ratio that of neighbouring rounds."""
    embedding: list[float] = []
    ingesting: list[float] = []
    async with running_service() as service, open_embedder() as embedder, _client(service) as client:
        async with client.put(WORLD, json={"title": "Bench", "locale": "en"}) as answer:
            answer.raise_for_status()
        for number in range(ROUNDS):
            documents = lore(number)
            passages = [chunk.embedded for each in documents for chunk in chunks_of(each)]
            embedding.append(len(passages) / await embed(embedder, passages))
            ingesting.append(len(passages) / await ingest(client, documents))
    ratio = median(ours / theirs for ours, theirs in zip(ingesting, embedding, strict=True))
    rows: list[list[str | float]] = [["embedder alone", median(embedding), 1.0], ["ingest", median(ingesting), ratio]]
    show("Ingest", ("", "passages/s", "ratio"), rows)


def lore(seed: int) -> list[Document]:
    """Documents that no other round has: the sample world's, each copy numbered in its titles."""
    given = [Document(id=line["id"], title=line["title"], text=line["text"]) for line in sample().lore]
    numbers = range(seed * COPIES, (seed + 1) * COPIES)
    return [
        replace(each, id=f"{number}/{each.id}", title=f"{each.title} {number}") for number in numbers for each in given
    ]


async def embed(embedder: Embedder, passages: Sequence[str]) -> float:
    """Seconds."""
    started = time.perf_counter()
    await embedder.embed(passages, input_type=InputType.DOCUMENT)
    return time.perf_counter() - started


async def ingest(client: aiohttp.ClientSession, documents: Sequence[Document]) -> float:
    """Seconds until the job has succeeded."""
    lines = [json.dumps({"id": each.id, "title": each.title, "text": each.text}) for each in documents]
    media_type = {"content-type": "application/x-ndjson"}
    started = time.perf_counter()
    async with client.post(f"{WORLD}/ingests", data="\n".join(lines), headers=media_type) as answer:
        answer.raise_for_status()
        job = await answer.json()
    while job["status"] in {"queued", "running"}:
        await asyncio.sleep(0.02)
        async with client.get(f"/v1/jobs/{job['job_id']}") as answer:
            job = await answer.json()
    assert job["status"] == "succeeded", job
    return time.perf_counter() - started


def _client(service: Server) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(service.url, headers={"authorization": f"Bearer {ADMIN_KEY}"})
