"""Health over HTTP, for those who have no key."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from llmops_api.errors import BackendUnavailable, LLMOpsError, ProviderUnavailable
from llmops_api.features.health import router
from llmops_api.ports.backends import Backends
from tests.support import CountingEmbedder, client_of


class Pinged:
    """Something that answers nothing but a ping: well, with an error, or never."""

    def __init__(self, error: LLMOpsError | None = None, *, hangs: bool = False) -> None:
        self._error = error
        self._hangs = hangs

    async def ping(self) -> None:
        if self._hangs:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error


@pytest.fixture
async def stranger(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a key."""
    async with client_of(app) as client:
        del client.headers["authorization"]
        yield client


@pytest.fixture
def backends(app: FastAPI) -> Backends:
    opened: Backends = app.state.backends
    return opened


async def test_a_service_whose_backends_answer_is_ready(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "backends": [{"name": name, "state": "ok", "detail": None} for name in ("state", "lore", "jobs")],
    }


async def test_a_service_is_not_ready_while_any_backend_fails(
    stranger: httpx2.AsyncClient, app: FastAPI, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, with the name of the one that fails and why: it said so, or it said nothing in time. It lives all the same."""
    monkeypatch.setattr(router, "PING_SECONDS", 0.01)
    away, hanging = Pinged(BackendUnavailable("locked", backend="it")), Pinged(hangs=True)
    for name in ("state", "lore", "jobs", "embedder"):
        for failing, why in ((away, "locked"), (hanging, "no answer within 0.01 s")):
            others: dict[str, Any] = {each: Pinged() for each in ("state", "lore", "jobs", "embedder")}
            app.state.backends = replace(backends, **{**others, name: failing})
            answer = await stranger.get("/health/ready")
            live = await stranger.get("/health/live")

            assert (answer.status_code, answer.json()["status"]) == (503, "failed")
            assert {each["name"]: each["detail"] for each in answer.json()["backends"] if each["state"] != "ok"} == {
                name: why
            }
            assert live.status_code == 200
    app.state.backends = backends


async def test_an_embedder_is_asked_when_there_is_one(
    stranger: httpx2.AsyncClient, app: FastAPI, backends: Backends
) -> None:
    app.state.backends = replace(backends, embedder=CountingEmbedder())
    names = [each["name"] for each in (await stranger.get("/health/ready")).json()["backends"]]
    app.state.backends = backends

    assert names == ["state", "lore", "jobs", "embedder"]


async def test_a_model_that_is_away_does_not_make_the_service_unready(
    stranger: httpx2.AsyncClient, app: FastAPI, backends: Backends
) -> None:
    """Dialogue answers without any."""
    models = {"far": Pinged(ProviderUnavailable("away", provider="far"))}
    app.state.backends = replace(backends, chat_models=models)  # type: ignore[arg-type]  # nobody asks it more
    answer = await stranger.get("/health/ready")
    app.state.backends = backends

    assert answer.status_code == 200


async def test_health_figures_and_the_openapi_page_need_no_key(stranger: httpx2.AsyncClient) -> None:
    """And name no path that was asked, which may hold a player's name: the route's pattern alone."""
    assert (await stranger.get("/health/live")).json() == {"status": "ok"}
    for path in ("/docs", "/openapi.json"):
        assert (await stranger.get(path)).status_code == 200
    await stranger.get("/v1/worlds/somebody-in-particular")
    figures = await stranger.get("/metrics")

    assert figures.headers["content-type"].startswith("text/plain")
    assert '"/v1/worlds/{world}"' in figures.text
    assert "somebody-in-particular" not in figures.text
