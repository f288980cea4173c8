"""What the settings open."""

import re
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops_api.bootstrap import new_id, now, open_backends
from llmops_api.errors import ProviderError
from llmops_api.ports.chat import ChatRequest, Message, Role
from llmops_api.ports.state import Put
from llmops_api.settings import OpenAICompatibleServer, Settings, WrongSetting

NOBODY = OpenAICompatibleServer(base_url="http://127.0.0.1:9/v1")
"""A server at a port where nothing listens."""


def _settings(folder: Path, **more: Any) -> Settings:
    return Settings(**{"data_dir": folder / "deep" / "data", "embedder": "none", **more})


async def test_a_folder_that_is_not_there_is_made_and_all_is_in_it(tmp_path: Path) -> None:
    """And what was written there is found by whoever opens it next."""
    settings = _settings(tmp_path)
    async with open_backends(settings) as backends:
        await backends.state.write(Put("thing", "a", {"n": 1}))
        await backends.lore.create("lore_1", embedder_id="", dimensions=0)
    async with open_backends(settings) as backends:
        record = await backends.state.get("thing", "a")
        assert dict(await backends.lore.versions("lore_1")) == {}

    assert record is not None
    assert record.value == {"n": 1}
    assert _names(tmp_path) == ["deep"]


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_without_an_embedder_there_is_none(tmp_path: Path) -> None:
    async with open_backends(_settings(tmp_path)) as backends:
        assert backends.embedder is None


async def test_an_embedder_may_be_a_model_of_a_server(tmp_path: Path) -> None:
    """The server of that name is asked, here in vain."""
    settings = _settings(
        tmp_path, embedder="openai_compatible", embedder_model="far:small", openai_compatible={"far": NOBODY}
    )
    with pytest.raises(ProviderError) as away:
        async with open_backends(settings):
            pass

    assert away.value.provider == "far"


async def test_providers_are_those_of_the_aliases_the_servers_and_the_harmless_twin(tmp_path: Path) -> None:
    """Each with its manners: an error names the provider as the settings do."""
    servers = {"far": NOBODY, "near": NOBODY}
    settings = _settings(
        tmp_path, openai_compatible=servers, model_aliases={"default": ["far:x"]}, provider_timeout_ms=2000
    )
    request = ChatRequest("x", (Message.of(Role.USER, "?"),))
    async with open_backends(settings) as backends:
        assert set(backends.chat_models) == {"far", "near", "scripted"}
        with pytest.raises(ProviderError) as away:
            await backends.chat_models["far"].generate(request)

    assert away.value.provider == "far"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("lore_index", "paper"), ("embedder", "guess"), ("model_aliases", {"default": "nobody:x"})],
)
async def test_a_technology_that_is_not_there_is_a_wrong_setting(tmp_path: Path, setting: str, value: Any) -> None:
    """The error names the setting."""
    with pytest.raises(WrongSetting, match=f"LLMOPS_{setting.upper()}"):
        async with open_backends(_settings(tmp_path, **{setting: value})):
            pass


def test_the_clock_is_in_utc() -> None:
    assert now().tzinfo is UTC
    assert now().utcoffset() == timedelta(0)


def test_ids_have_their_prefix_and_never_come_twice() -> None:
    ids = {new_id("turn") for _ in range(1000)}

    assert len(ids) == 1000
    assert all(re.fullmatch("turn_[0-9a-f]{32}", each) for each in ids)
