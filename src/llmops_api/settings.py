"""Which technology stands behind each port, and the limits; read from the environment (`LLMOPS_...`) and a `.env` file."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    """Names are those of the environment without the prefix; the README lists them."""

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    data_dir: Path = Path("data")
    database_url: str = ""
    lore_index: str = "embedded"
    embedder: str = "minilm"
    embedder_model: str = ""
    model_aliases: dict[str, str | list[str]] = {"default": "scripted:demo"}
    model_prices: dict[str, Price] = {"scripted": Price()}
    openai_compatible: dict[str, OpenAICompatibleServer] = {}
    admin_key: SecretStr | None = Field(None, min_length=16)
    seed: bool | str = True
    """True: the sample world on a fresh data folder; a name: under that name."""

    max_body_bytes: int = Field(64 * 1024 * 1024, ge=1024)
    max_document_chars: int = Field(500_000, ge=1000)
    provider_concurrency: int = Field(64, ge=1)
    provider_queue: int = Field(256, ge=0)
    provider_timeout_ms: int = Field(60_000, ge=1)

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
    def _has_default(cls, aliases: dict[str, Any]) -> dict[str, Any]:
        if "default" not in aliases:
            raise ValueError('needs an alias named "default", for example {"default": "scripted:demo"}')
        return aliases

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
        return {name: [to] if isinstance(to, str) else to for name, to in self.model_aliases.items()}
