"""Settings: from the environment, then a `.env` file, then what a laptop needs."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from llmops_api.settings import Settings


def test_without_any_setting_the_service_runs_on_a_laptop() -> None:
    settings = Settings()

    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, Path("data"))
    assert (settings.lore_index, settings.embedder) == ("embedded", "minilm")
    assert settings.aliases == {"default": ["scripted:demo"]}
    assert (settings.admin_key, settings.seed) == (None, True)


@pytest.mark.parametrize("given", ["true", "True", "1", "yes", "on"])
def test_seed_may_be_a_word_for_yes(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_SEED", given)

    assert Settings().seed is True


@pytest.mark.parametrize("given", ["false", "FALSE", "0", "no", "off", ""])
def test_seed_may_be_a_word_for_no(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_SEED", given)

    assert Settings().seed is False


@pytest.mark.parametrize("given", ["emberfall", "My-World", "y2", "none"])
def test_seed_may_be_the_name_of_a_world(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_SEED", given)

    assert Settings().seed == given


def test_the_environment_wins_over_the_file_beside_us(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LLMOPS_PORT=8001\nLLMOPS_HOST=127.0.0.2\n", "utf-8")
    monkeypatch.setenv("LLMOPS_PORT", "8002")
    settings = Settings()

    assert (settings.port, settings.host) == (8002, "127.0.0.2")


def test_a_name_without_our_prefix_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9")

    assert os.environ["PORT"] == "9"
    assert Settings().port == 8000


def test_an_alias_is_a_model_or_a_list_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "LLMOPS_MODEL_ALIASES", '{"default": "scripted:demo", "npc": ["scripted:slow", "scripted:demo"]}'
    )

    assert Settings().aliases == {"default": ["scripted:demo"], "npc": ["scripted:slow", "scripted:demo"]}


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the admin key nor those of the servers, should somebody print the settings."""
    monkeypatch.setenv("LLMOPS_ADMIN_KEY", "admin-secret-0123")
    monkeypatch.setenv(
        "LLMOPS_OPENAI_COMPATIBLE", '{"far": {"base_url": "http://127.0.0.1:9", "api_key": "far-secret"}}'
    )
    settings = Settings()

    assert settings.admin_key is not None
    assert settings.admin_key.get_secret_value() == "admin-secret-0123"
    assert "secret-" not in repr(settings)
    assert "far-secret" not in repr(settings)


def test_an_admin_key_that_could_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_ADMIN_KEY", "short")
    with pytest.raises(ValidationError):
        Settings()


def test_state_and_jobs_are_files_of_the_data_folder_or_in_the_database_that_is_given() -> None:
    laptop = Settings(data_dir=Path("/d"))
    server = Settings(database_url="postgresql+asyncpg://u@127.0.0.1/llmops")

    assert (laptop.state_url, laptop.jobs_url) == ("sqlite+aiosqlite:////d/state.sqlite", "sqlite:////d/jobs.sqlite")
    assert laptop.key_file == Path("/d/admin.key")
    assert server.state_url == server.jobs_url == "postgresql+asyncpg://u@127.0.0.1/llmops"


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # which is what is tested
