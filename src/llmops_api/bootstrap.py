"""The one place that joins ports to technologies."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from llmops_api.adapters.registry import Opener, opener, serving
from llmops_api.adapters.wrappers.chat import Limits, wrapped
from llmops_api.adapters.wrappers.embedding import SteadyEmbedder
from llmops_api.core.models import ModelRef
from llmops_api.ports.backends import Backends
from llmops_api.ports.chat import ChatModel
from llmops_api.ports.embedding import Embedder
from llmops_api.settings import Settings, WrongSetting

_CHOICES = {
    "lore_index": "LLMOPS_LORE_INDEX must be {found}",
    "embedder": "LLMOPS_EMBEDDER must be none or {found}",
    "chat_model": "The provider in LLMOPS_MODEL_ALIASES must be a server of LLMOPS_OPENAI_COMPATIBLE or {found}",
}
"""What a setting may be whose technology serves this port."""


def now() -> datetime:
    """The clock of the service, in UTC."""
    return datetime.now(UTC)


def new_id(prefix: str) -> str:
    """An opaque id: the prefix and 122 random bits."""
    return f"{prefix}_{uuid.uuid4().hex}"


@asynccontextmanager
async def open_backends(settings: Settings) -> AsyncIterator[Backends]:
    """Open what the settings ask for; close it all, in reverse order, at the end.

    Raises `WrongSetting` for a technology that is not there.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:

        async def opened(technology: str, port: str, **options: Any) -> Any:
            return await stack.enter_async_context(_chosen(technology, port)(**options))

        limits = Limits(
            concurrency=settings.provider_concurrency,
            queue=settings.provider_queue,
            timeout=settings.provider_timeout_ms / 1000,
        )
        pool_size = settings.database_pool_size
        state = await opened("database", "state_store", database_url=settings.state_url, pool_size=pool_size)
        lore = await opened(settings.lore_index, "lore_index", **_lore_options(settings))
        jobs = await opened("dbos", "job_runner", database_url=settings.jobs_url)
        embedder: Embedder | None = None
        if settings.embedder != "none":
            technology, options = _embedder(settings)
            opened_embedder = await opened(technology, "embedder", **options)
            embedder = SteadyEmbedder(opened_embedder, name=settings.embedder, limits=limits)
        models: dict[str, ChatModel] = {}
        for provider in _providers(settings):
            technology, options = _provider(provider, settings)
            model = await opened(technology, "chat_model", **options)
            models[provider] = wrapped(model, name=provider, limits=limits)
        yield Backends(models, embedder, lore, state, jobs, now, new_id)


def _chosen(technology: str, port: str) -> Opener:
    try:
        return opener(technology, port)
    except LookupError as error:
        choices = _CHOICES[port].format(found=" or ".join(serving(port)))
        raise WrongSetting(f"{choices}, not {technology!r}.") from error


def _lore_options(settings: Settings) -> dict[str, Any]:
    return {"folder": settings.data_dir} if settings.lore_index == "embedded" else {}


def _providers(settings: Settings) -> list[str]:
    """The providers that the aliases mention, every configured server, and the harmless twin."""
    mentioned = [ModelRef.parse(ref).provider for refs in settings.aliases.values() for ref in refs]
    return list(dict.fromkeys([*mentioned, *settings.openai_compatible, "scripted"]))


def _provider(name: str, settings: Settings) -> tuple[str, dict[str, Any]]:
    """The technology behind a provider's name, and its options: a configured server, or an adapter by its own name."""
    row = settings.openai_compatible.get(name)
    if row is None:
        return name, {}
    return "openai_compatible", {"name": name, **row.model_dump()}


def _embedder(settings: Settings) -> tuple[str, dict[str, Any]]:
    if settings.embedder == "bedrock":
        return "bedrock", {"model": settings.embedder_model}
    if settings.embedder != "openai_compatible":
        return settings.embedder, {}
    ref = ModelRef.parse(settings.embedder_model)
    technology, options = _provider(ref.provider, settings)
    return technology, {**options, "model": ref.name}
