"""Whether the process runs, whether it can work, and its figures."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from llmops_api.dependencies import BackendsDep
from llmops_api.errors import LLMOpsError
from llmops_api.schemas import WireModel
from llmops_api.telemetry import REGISTRY

router = APIRouter(tags=["Health"])
PING_SECONDS = 2.0


class Live(WireModel):
    """The process answers."""

    status: Literal["ok"] = Field("ok", description="There is no other.")


class BackendStatus(WireModel):
    """One of the things that the service stands on."""

    name: str = Field(examples=["state"], description="`state`, `lore`, `jobs` or `embedder`.")
    state: Literal["ok", "failed"] = Field(description="Whether it answered just now.")
    detail: str | None = Field(None, description="Why it fails.")


class Ready(WireModel):
    """Whether the service can work."""

    status: Literal["ok", "failed"] = Field(description="`failed` when any backend is.")
    backends: list[BackendStatus] = Field(description="Each with its state.")


@router.get("/health/live", summary="Is the process alive?")
async def live() -> Live:
    """200 as long as the process answers."""
    return Live()


@router.get(
    "/health/ready", summary="Can it work?", responses={503: {"model": Ready, "description": "A backend fails."}}
)
async def ready(backends: BackendsDep, response: Response) -> Ready:
    """Asks every backend that the service cannot do without; each with its state and, when it fails, why.

    Providers of models are not among them: dialogue answers without any. `GET /v1/models` tells about those.
    """
    pings = {"state": backends.state.ping, "lore": backends.lore.ping, "jobs": backends.jobs.ping}
    if backends.embedder is not None:
        pings["embedder"] = backends.embedder.ping
    found = await asyncio.gather(*(_ping(name, ping) for name, ping in pings.items()))
    failed = any(each.state == "failed" for each in found)
    response.status_code = 503 if failed else 200
    return Ready(status="failed" if failed else "ok", backends=found)


async def _ping(name: str, ping: Callable[[], Awaitable[None]]) -> BackendStatus:
    try:
        async with asyncio.timeout(PING_SECONDS):
            await ping()
    except LLMOpsError as error:
        return BackendStatus(name=name, state="failed", detail=error.message)
    except TimeoutError:
        return BackendStatus(name=name, state="failed", detail=f"no answer within {PING_SECONDS:g} s")
    return BackendStatus(name=name, state="ok")


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics() -> Response:
    """Prometheus text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
