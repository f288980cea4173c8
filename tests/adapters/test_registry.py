"""The table of technologies: every line of it can be opened, and what is missing is said in a sentence."""

import inspect
import sys
from contextlib import AbstractAsyncContextManager

import pytest

from llmops_api.adapters import registry
from llmops_api.adapters.registry import TECHNOLOGIES, opener

SERVED = {
    "scripted": {"chat_model"},
    "openai_compatible": {"chat_model", "embedder"},
    "minilm": {"embedder"},
    "embedded": {"lore_index"},
    "database": {"state_store"},
    "dbos": {"job_runner"},
}
PORTS = set.union(*SERVED.values())


def test_every_line_of_the_table_is_known_here():
    assert SERVED.keys() == TECHNOLOGIES.keys()


@pytest.mark.parametrize(("technology", "port"), [(name, port) for name, ports in SERVED.items() for port in ports])
def test_every_line_opens_its_ports_with_keywords(technology: str, port: str):
    parameters = inspect.signature(opener(technology, port)).parameters.values()

    assert all(each.kind in {each.KEYWORD_ONLY, each.VAR_KEYWORD} for each in parameters)


@pytest.mark.parametrize(("technology", "port"), [(name, port) for name in SERVED for port in PORTS - SERVED[name]])
def test_a_port_that_a_technology_lacks_is_a_sentence(technology: str, port: str):
    with pytest.raises(LookupError, match=f"^adapter '{technology}' serves no {port}$"):
        opener(technology, port)


def test_an_opener_is_an_async_context_manager():
    assert isinstance(opener("scripted", "chat_model")(), AbstractAsyncContextManager)


def test_an_unknown_technology_is_told_which_there_are():
    with pytest.raises(LookupError, match=r"'teleprinter'.*scripted"):
        opener("teleprinter", "chat_model")


def test_a_missing_sdk_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in ("openai_compatible", "provider_http"):
        monkeypatch.delitem(sys.modules, f"llmops_api.adapters.{name}", raising=False)

    with pytest.raises(ImportError, match=r"'aiohttp': install llmops-api\[openai_compatible\]"):
        opener("openai_compatible", "chat_model")


def test_a_fault_of_our_own_is_not_taken_for_a_missing_sdk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "TECHNOLOGIES", {"lost": "llmops_api.adapters.lost"})

    with pytest.raises(ModuleNotFoundError, match=r"llmops_api\.adapters\.lost"):
        opener("lost", "chat_model")
