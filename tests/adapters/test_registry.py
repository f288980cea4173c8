"""The table of technologies: every line of it can be opened, and what is missing is said in a sentence."""

import inspect
import sys
from contextlib import AbstractAsyncContextManager
from importlib import import_module

import pytest

from llmops_api.adapters import registry
from llmops_api.adapters.registry import TECHNOLOGIES, opener

PORTS = ("chat_model", "embedder", "lore_index", "state_store", "job_runner")


def _openers(technology: str) -> dict[str, registry.Opener]:
    """What a technology serves, by port."""
    module = import_module(TECHNOLOGIES[technology])
    return {port: opener(technology, port) for port in PORTS if hasattr(module, f"open_{port}")}


@pytest.mark.parametrize("technology", TECHNOLOGIES)
def test_every_line_of_the_table_opens_a_port_with_keywords(technology: str):
    openers = _openers(technology)

    assert openers
    for each in openers.values():
        parameters = inspect.signature(each).parameters.values()
        assert all(parameter.kind in {parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD} for parameter in parameters)


def test_a_port_that_a_technology_lacks_is_a_sentence():
    with pytest.raises(LookupError, match=r"^adapter 'database' serves no chat_model$"):
        opener("database", "chat_model")


def test_an_opener_is_an_async_context_manager():
    assert isinstance(opener("scripted", "chat_model")(), AbstractAsyncContextManager)


def test_an_unknown_technology_is_told_which_there_are():
    with pytest.raises(LookupError, match=r"'teleprinter'.*scripted"):
        opener("teleprinter", "chat_model")


def test_a_missing_sdk_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in ("model", "http"):
        monkeypatch.delitem(sys.modules, f"llmops_api.adapters.openai_compatible.{name}", raising=False)

    with pytest.raises(ImportError, match=r"'aiohttp': install llmops-api\[openai_compatible\]"):
        opener("openai_compatible", "chat_model")


def test_a_fault_of_our_own_is_not_taken_for_a_missing_sdk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "TECHNOLOGIES", {"lost": "llmops_api.adapters.lost"})

    with pytest.raises(ModuleNotFoundError, match=r"llmops_api\.adapters\.lost"):
        opener("lost", "chat_model")
