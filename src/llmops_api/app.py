"""The front door: opens what the service stands on, and hands every request to its use-case."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from llmops_api import exception_handlers, openapi
from llmops_api.body_limit import BodyLimit
from llmops_api.bootstrap import open_backends
from llmops_api.core.characters import Characters
from llmops_api.core.conversations import Conversations
from llmops_api.core.idempotency import Receipts
from llmops_api.core.jobs import Jobs
from llmops_api.core.keys import Keys
from llmops_api.core.lore import REINDEX, LoreLibrary
from llmops_api.core.models import Models
from llmops_api.core.prompts import PromptLibrary
from llmops_api.core.removal import Removal
from llmops_api.core.retrieval import Retriever
from llmops_api.core.world_import import WorldImports
from llmops_api.core.worlds import Worlds
from llmops_api.features import ROUTERS
from llmops_api.features.npc.authored import AuthoredLines
from llmops_api.features.npc.recorder import Recorder
from llmops_api.features.npc.service import Dialogue
from llmops_api.features.rag.ingest import INGEST, Ingest, Reindex
from llmops_api.features.transfer.importing import IMPORT, Import
from llmops_api.first_start import load_sample, make_first_key, mend
from llmops_api.ports.backends import Backends
from llmops_api.request_context import RequestContext
from llmops_api.settings import Settings

COLLECTED_AFTER = (5_000, 4, 500)
"""`gc.set_threshold`: a thousand open streams are some million objects, and looking through all of them takes a third of
a second in which nobody is answered. By Python's own numbers that happens every few seconds while streams begin."""


def create_app(settings: Settings | None = None, backends: Backends | None = None) -> FastAPI:
    """The service. Without `backends` it opens those of the settings when it starts, and closes them at the end."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with nullcontext(backends) if backends else open_backends(settings) as opened:
            await _furnish(app, settings, opened)
            mending = asyncio.create_task(mend(app.state.removal, app.state.worlds, app.state.lore))
            # What was made until now lives as long as the service; else each full collection stops it for 0.1 s.
            gc.freeze()
            usual = gc.get_threshold()
            gc.set_threshold(*COLLECTED_AFTER)
            try:
                yield
            finally:
                gc.set_threshold(*usual)
                gc.unfreeze()
                mending.cancel()
                await asyncio.wait({mending})
                await app.state.dialogue.recorder.drained()

    app: FastAPI = FastAPIOffline(
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"metrics": False, "logs": False},  # we keep our own
    )
    openapi.describe(app)
    exception_handlers.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestContext)
    return app


async def _furnish(app: FastAPI, settings: Settings, backends: Backends) -> None:
    """Our own thinking on top of what was opened, where every request finds it."""
    state, lore, embedder, new_id = backends.state, backends.lore, backends.embedder, backends.new_id
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None
    rooms = app.state
    rooms.settings = settings
    rooms.backends = backends
    rooms.keys = Keys(state, backends.now, new_id, admin_key)
    rooms.receipts = Receipts(state, backends.now)
    rooms.worlds = Worlds(state, lore, embedder, new_id)
    rooms.lore = LoreLibrary(state, lore, embedder, rooms.worlds)
    rooms.retriever = Retriever(lore, embedder, rooms.worlds)
    rooms.models = Models(backends.chat_models, settings.aliases, settings.model_prices)
    rooms.prompts = PromptLibrary.of_package()
    rooms.characters = Characters(state)
    rooms.conversations = Conversations(state)
    rooms.dialogue = Dialogue(
        rooms.characters,
        rooms.conversations,
        rooms.retriever,
        rooms.models,
        rooms.prompts,
        AuthoredLines.of_package(),
        Recorder(rooms.conversations),
        backends.now,
        new_id,
    )
    rooms.jobs = Jobs(state, backends.jobs, backends.now, new_id)
    rooms.removal = Removal(state, lore, rooms.worlds, (rooms.jobs, rooms.conversations, rooms.characters, rooms.lore))
    rooms.imports = WorldImports(state, lore, rooms.worlds, rooms.removal, rooms.jobs)
    if admin_key is None:
        await make_first_key(settings.key_file, rooms.keys)
    await load_sample(settings.seed, state, rooms.worlds, rooms.lore, rooms.characters)
    await rooms.jobs.launch(
        {
            INGEST: Ingest(state, rooms.worlds, rooms.lore),
            REINDEX: Reindex(rooms.worlds, rooms.lore),
            IMPORT: Import(state, rooms.imports, rooms.lore),
        }
    )
