"""A thousand streamed dialogues at once on Bedrock's wire, in one process, beside the upstream without us in between.

They begin one after the other and last longer than that takes, so that all are open together before the first ends. The
upstream sends a sentence word by word at set moments; what is later than these was added on the way.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.load import post
from bench.processes import ADMIN_KEY, Server, running_bedrock, running_service
from bench.tables import show

STREAMS = 1000
EACH_SECOND = 40
"""Of them, how many begin."""
FIRST, GAP, WORDS = 4.0, 3.0, 9
"""Seconds before the first word and between the others; the upstream's sentence has so many."""
MODEL = f"paced:{FIRST * 1000:.0f}:{GAP * 1000:.0f}"
SAID_AFTER = FIRST + (WORDS - 1) * GAP
"""Seconds until the sentence is whole, which is when a character says it."""

Request = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Marks:
    """What in a stream is the sentence, and what its good end."""

    sentence: bytes
    end: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """How much later than it could be, in seconds, the sentence came; and whether the stream came to its end."""

    late: float
    finished: bool


async def main() -> None:
    """Print the table."""
    async with running_bedrock() as upstream:
        direct = await together(upstream, _to_bedrock, Marks("鐘".encode(), b"messageStop"))
        settings: dict[str, Any] = {
            "BEDROCK__ENDPOINT_URL": upstream.url,
            "BEDROCK__REGION": "us-east-1",
            "BEDROCK__BEARER_TOKEN": "of-the-benchmark",
            "MODEL_ALIASES": json.dumps({"default": f"bedrock:{MODEL}"}),
            "PROVIDER_CONCURRENCY": str(STREAMS),
            "SEED": "true",
        }
        async with running_service(**settings) as service:
            marks = Marks(b"event: sentence", b"event: done")
            await together(service, _to_us, marks, streams=5)  # loads what is loaded once
            before = service.megabytes
            ours, amid = await asyncio.gather(together(service, _to_us, marks), _megabytes_amid(service))
    show(
        f"{STREAMS:,} streamed dialogues at once, {EACH_SECOND} more each second",
        ("", "finished", "sentence late by, p50 ms", "p99 ms", "kB a stream"),
        [_row("the upstream alone", direct, ""), _row("llmops-api", ours, (amid - before) * 1024 / STREAMS)],
    )


async def together(server: Server, request: Request, marks: Marks, *, streams: int = STREAMS) -> list[Heard]:
    return await asyncio.gather(*(_one(server, request(number), marks, number) for number in range(streams)))


async def _one(server: Server, request: bytes, marks: Marks, number: int) -> Heard:
    await asyncio.sleep(number / EACH_SECOND)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    started, said, received = time.perf_counter(), float("inf"), b""
    writer.write(request)
    try:
        while marks.end not in received:
            piece = await reader.read(65536)
            if not piece:
                return Heard(said - SAID_AFTER, finished=False)
            received += piece
            if marks.sentence in received:
                said = min(said, time.perf_counter() - started)
    finally:
        writer.close()
    return Heard(said - SAID_AFTER, finished=True)


async def _megabytes_amid(service: Server) -> float:
    """When all streams have begun and none has ended."""
    await asyncio.sleep((STREAMS / EACH_SECOND + SAID_AFTER) / 2)
    return service.megabytes


def _to_us(number: int) -> bytes:
    body = {
        "player_id": f"player-{number}",
        "text": "When does the gate close?",
        "stream": True,
        "deadline_ms": 120_000,
    }
    return post("/v1/worlds/emberfall/characters/guard/dialogue", body, ADMIN_KEY)


def _to_bedrock(_number: int) -> bytes:
    body = {"messages": [{"role": "user", "content": [{"text": "When does the gate close?"}]}]}
    return post(f"/model/{MODEL}/converse-stream", body)


def _row(name: str, heard: list[Heard], kilobytes: float | str) -> list[str | float]:
    late = [each.late * 1000 for each in heard]
    finished = sum(each.finished for each in heard)
    return [name, f"{finished:,}", *(float(np.percentile(late, share)) for share in (50, 99)), kilobytes]
