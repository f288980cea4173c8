"""The peer: the least that FastAPI and aiohttp can do between a client and an OpenAI-compatible upstream.

It checks a body, asks the upstream, and answers JSON: no keys, errors, deadlines, retries, limits, metrics or logs.
The upstream's base URL is `BENCH_UPSTREAM`.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from pydantic import BaseModel


class Prompt(BaseModel):
    prompt: str


class Answer(BaseModel):
    text: str
    finish_reason: str
    usage: dict[str, int]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)
UPSTREAM = os.environ.get("BENCH_UPSTREAM", "")


@app.get("/health/ready")
async def ready() -> None:
    """200 as soon as it serves."""


@app.post("/v1/text/generate")
async def generate(body: Prompt, request: Request) -> Answer:
    """One user message up, one answer down."""
    asked = {"model": "instant", "messages": [{"role": "user", "content": body.prompt}]}
    async with request.app.state.session.post(f"{UPSTREAM}/chat/completions", json=asked) as response:
        completion = await response.json()
    choice = completion["choices"][0]
    return Answer(text=choice["message"]["content"], finish_reason=choice["finish_reason"], usage=completion["usage"])
