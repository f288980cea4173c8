"""Which technology stands behind each port, and the limits; read from the environment (`LLMOPS_...`) and a `.env` file."""

from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

POOL_SIZE = 8
"""Connections to PostgreSQL for reading, and as many for writing, unless somebody says otherwise."""

S = TypeVar("S", bound=BaseSettings)


class WrongSetting(ValueError):
    """Settings that the service cannot start with; the text names the environment variable and the mend."""


def read(settings: type[S], **given: Any) -> S:
    """The settings of one technology; what was given wins over the environment.

    Raises `WrongSetting` naming the variable, and what it must be: the description of the field.
    """
    try:
        return settings(**given)
    except ValidationError as error:
        fault = error.errors()[0]
    # Not within the handler: pydantic's error repeats what was given, passwords too, and a log would show it.
    if isinstance(cause := fault.get("ctx", {}).get("error"), WrongSetting):
        raise cause
    name = str(fault["loc"][0])
    must_be = settings.model_fields[name].description
    raise WrongSetting(f"{settings.model_config['env_prefix']}{name.upper()} must be {must_be}.")


class OpenAICompatibleServer(BaseModel):
    """One OpenAI-compatible server. `max_concurrency` calls run at a time; the rest wait in a bounded queue."""

    base_url: str
    api_key: SecretStr | None = None


class Price(BaseModel):
    """What a million tokens cost."""

    input: float = 0
    output: float = 0
    cache_read: float = 0
    cache_write: float = 0
    currency: str = "USD"


class Settings(BaseSettings):
    """Names are those of the environment without the prefix; the README lists them.

    The description of a setting says what it must be.
    """

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535, description="a whole number from 0 to 65535")
    data_dir: Path = Path("data")
    database_url: str = ""
    database_pool_size: int = Field(POOL_SIZE, ge=1, description="a whole number of at least 1")
    lore_index: str = "embedded"
    embedder: str = "minilm"
    embedder_model: str = ""
    model_aliases: dict[str, str | list[str]] = Field(
        {"default": "scripted:demo"},
        description='JSON such as {"default": "scripted:demo"}: alias to provider:model, or to a list of them',
    )
    model_prices: dict[str, Price] = Field(
        {"scripted": Price()}, description='JSON such as {"ollama:llama3.2": {"input": 0.5, "output": 1.5}}'
    )
    openai_compatible: dict[str, OpenAICompatibleServer] = Field(
        {}, description='JSON such as {"ollama": {"base_url": "http://127.0.0.1:11434/v1", "api_key": "..."}}'
    )
    admin_key: SecretStr | None = Field(None, min_length=16, description="at least 16 characters long")
    seed: bool | str = True
    """True: the sample world on a fresh data folder; a name: under that name."""

    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="a whole number of at least 1024")
    max_document_chars: int = Field(500_000, ge=1000, description="a whole number of at least 1000")
    provider_concurrency: int = Field(64, ge=1, description="a whole number of at least 1")
    provider_queue: int = Field(256, ge=0, description="a whole number of at least 0")
    provider_timeout_ms: int = Field(60_000, ge=1, description="a whole number of at least 1")
    shutdown_grace_s: int = Field(8, ge=1, description="a whole number of at least 1")
    """How long requests that are being answered may take once the service is told to stop; `docker stop` kills after 10."""

    @field_validator("seed", mode="before")
    @classmethod
    def _truth(cls, seed: Any) -> Any:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
            "": False,
        }
        return words.get(seed.lower(), seed) if isinstance(seed, str) else seed

    @field_validator("model_aliases")
    @classmethod
    def _point_to_models(cls, aliases: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        if "default" not in aliases:
            raise WrongSetting(
                'LLMOPS_MODEL_ALIASES needs an alias named "default", for example {"default": "scripted:demo"}.'
            )
        for alias, refs in aliases.items():
            if not refs or not all(all(ref.partition(":")) for ref in _listed(refs)):
                raise WrongSetting(
                    f'LLMOPS_MODEL_ALIASES: "{alias}" must point to provider:model, or to a list of at least one of them.'
                )
        return aliases

    @model_validator(mode="after")
    def _servers_are_named(self) -> Self:
        """A model of a server is named by the server's own name, never by `openai_compatible`."""
        if self.embedder == "openai_compatible" and not self._is_of_a_server(self.embedder_model):
            raise WrongSetting(
                "LLMOPS_EMBEDDER=openai_compatible needs LLMOPS_EMBEDDER_MODEL=name:model, where the name is one of "
                "LLMOPS_OPENAI_COMPATIBLE."
            )
        refs = (ref for refs in self.aliases.values() for ref in refs)
        if any(ref.startswith("openai_compatible:") and not self._is_of_a_server(ref) for ref in refs):
            raise WrongSetting(
                "LLMOPS_MODEL_ALIASES must name a server of LLMOPS_OPENAI_COMPATIBLE by its own name: name:model, "
                "not openai_compatible:model."
            )
        return self

    def _is_of_a_server(self, ref: str) -> bool:
        name, _, model = ref.partition(":")
        return name in self.openai_compatible and bool(model)

    @property
    def state_url(self) -> str:
        """The SQLAlchemy URL of the state store: `DATABASE_URL`, else a SQLite file in `DATA_DIR`."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'state.sqlite'}"

    @property
    def key_file(self) -> Path:
        """Where the first key is written, for its owner alone."""
        return self.data_dir / "admin.key"

    @property
    def jobs_url(self) -> str:
        """Where durable jobs are kept: beside the state on a server, in a file of their own on a laptop."""
        return self.database_url or f"sqlite:///{self.data_dir / 'jobs.sqlite'}"

    @property
    def aliases(self) -> dict[str, list[str]]:
        """Each alias with the models that it tries, in order."""
        return {name: _listed(to) for name, to in self.model_aliases.items()}


def _listed(refs: str | list[str]) -> list[str]:
    return [refs] if isinstance(refs, str) else refs
