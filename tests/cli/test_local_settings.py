from pathlib import Path

import pytest

from llmops_api.cli.failures import WrongUse
from llmops_api.cli.local_settings import local_settings, misspelt
from llmops_api.settings import Settings

WRONG = {
    "PORT": ("abc", "LLMOPS_PORT must be a whole number from 0 to 65535."),
    "ADMIN_KEY": ("short", "LLMOPS_ADMIN_KEY must be at least 16 characters long."),
    "MODEL_ALIASES": ("default", 'LLMOPS_MODEL_ALIASES must be JSON such as {"default": "scripted:demo"}: '),
    "MODEL_PRICES": ('{"scripted": {"input": "much"}}', "LLMOPS_MODEL_PRICES must be JSON such as "),
    "OPENAI_COMPATIBLE": ('{"ollama": {}}', 'LLMOPS_OPENAI_COMPATIBLE must be JSON such as {"ollama": {"base_url": '),
    "MAX_BODY_BYTES": ("1", "LLMOPS_MAX_BODY_BYTES must be a whole number of at least 1024."),
    "EMBEDDER": ("openai_compatible", "LLMOPS_EMBEDDER=openai_compatible needs LLMOPS_EMBEDDER_MODEL=name:model"),
}


@pytest.mark.parametrize(("name", "value", "sentence"), [(name, *rest) for name, rest in WRONG.items()])
def test_a_wrong_setting_is_named_with_what_it_must_be(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LLMOPS_{name}", value)
    with pytest.raises(WrongUse) as wrong:
        local_settings()
    assert str(wrong.value).startswith(sentence)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    "aliases", ['{"fast": "scripted:demo"}', '{"default": "demo"}', '{"default": []}', '{"default": ["scripted:"]}']
)
def test_an_alias_that_leads_nowhere_is_refused(aliases: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_MODEL_ALIASES", aliases)
    with pytest.raises(WrongUse, match=r"^LLMOPS_MODEL_ALIASES.*default"):
        local_settings()


def test_a_server_is_a_provider_by_its_own_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_OPENAI_COMPATIBLE", '{"ollama": {"base_url": "http://127.0.0.1:9/v1"}}')
    monkeypatch.setenv("LLMOPS_EMBEDDER", "openai_compatible")
    monkeypatch.setenv("LLMOPS_EMBEDDER_MODEL", "ollama:embed")
    monkeypatch.setenv("LLMOPS_MODEL_ALIASES", '{"default": "ollama:chat"}')
    assert local_settings().aliases == {"default": ["ollama:chat"]}
    monkeypatch.setenv("LLMOPS_MODEL_ALIASES", '{"default": "openai_compatible:chat"}')
    with pytest.raises(WrongUse, match=r"^LLMOPS_MODEL_ALIASES must name a server of LLMOPS_OPENAI_COMPATIBLE"):
        local_settings()


def test_every_wrong_setting_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_PORT", "99999")
    monkeypatch.setenv("LLMOPS_MODEL_PRICES", "[]")
    with pytest.raises(WrongUse) as wrong:
        local_settings()
    assert [line.split()[0] for line in str(wrong.value).splitlines()] == ["LLMOPS_PORT", "LLMOPS_MODEL_PRICES"]


def test_every_setting_that_can_be_wrong_says_what_it_must_be() -> None:
    unchecked = {"host", "data_dir", "database_url", "lore_index", "embedder", "embedder_model", "seed"}
    described = {name for name, field in Settings.model_fields.items() if field.description}
    assert described == Settings.model_fields.keys() - unchecked


def test_a_setting_that_nobody_reads_is_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in `.env`; what others read is not."""
    monkeypatch.setenv("LLMOPS_LOREINDEX", "opensearch")
    monkeypatch.setenv("LLMOPS_LORE_INDEX", "embedded")
    monkeypatch.setenv("LLMOPS_URL", "http://127.0.0.1:8000")
    monkeypatch.setenv("LLMOPS_BEDROCK__REGION", "eu-central-1")
    Path(".env").write_text("LLMOPS_SEDE=false\nOTHER=1\n")

    assert misspelt() == [
        "LLMOPS_LOREINDEX is no setting; is it LLMOPS_LORE_INDEX?",
        "LLMOPS_SEDE is no setting; is it LLMOPS_SEED?",
    ]
