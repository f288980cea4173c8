"""The technologies that can stand behind a port: the one late binding in the house, resolved when a setting asks."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any

Opener = Callable[..., AbstractAsyncContextManager[Any]]
"""`open_<port>` of a technology: takes its options as keywords, yields what serves the port, closes what it opened."""

TECHNOLOGIES: Mapping[str, str] = {
    "scripted": "llmops_api.adapters.scripted.model",
    "openai_compatible": "llmops_api.adapters.openai_compatible.model",
    "bedrock": "llmops_api.adapters.bedrock.model",
    "llama_cpp": "llmops_api.adapters.llama_cpp.model",
    "minilm": "llmops_api.adapters.minilm",
    "embedded": "llmops_api.adapters.embedded.index",
    "opensearch": "llmops_api.adapters.opensearch.index",
    "database": "llmops_api.adapters.database.store",
    "dbos": "llmops_api.adapters.dbos_jobs.runner",
}

_EXTRAS: Mapping[str, str] = {"llama_cpp": "local"}
"""The extra that brings a technology's package, where it is not named after the technology."""


def opener(technology: str, port: str) -> Opener:
    """What opens `port` (`chat_model`, `embedder`, `lore_index`, `state_store`, `job_runner`) on a technology.

    Raises `LookupError` for a technology or a port of it that is not there, `ImportError` for an SDK that is not
    installed; both say what to do.
    """
    found: Opener | None = getattr(_module(technology), f"open_{port}", None)
    if found is None:
        raise LookupError(f"adapter '{technology}' serves no {port}")
    return found


def serving(port: str) -> list[str]:
    """The technologies that serve a port, of those whose SDK is installed."""
    found = []
    for technology in TECHNOLOGIES:
        with suppress(ImportError):
            if hasattr(_module(technology), f"open_{port}"):
                found.append(technology)
    return found


def _module(technology: str) -> ModuleType:
    try:
        return import_module(TECHNOLOGIES[technology])
    except KeyError as error:
        raise LookupError(f"there is no adapter '{technology}'; there are: {', '.join(TECHNOLOGIES)}") from error
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("llmops_api"):
            raise
        extra = _EXTRAS.get(technology, technology)
        raise ImportError(
            f"adapter '{technology}' needs the package '{error.name}': install llmops-api[{extra}]"
        ) from error
