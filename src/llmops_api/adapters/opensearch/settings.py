"""Where OpenSearch is, who we are to it, and how the indexes are made: read from `LLMOPS_OPENSEARCH__...`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmops_api.settings import WrongSetting


class OpenSearchSettings(BaseSettings):
    """The description of a setting says what it must be."""

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_OPENSEARCH__", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: str = Field(
        "http://127.0.0.1:9200",
        pattern=r"^https?://[^,\s]+(\s*,\s*https?://[^,\s]+)*$",
        description="an http:// or https:// address, or several with commas between them",
    )
    auth: Literal["none", "basic", "sigv4"] = Field("none", description="none, basic or sigv4")
    username: str = Field("", description="the name of a user")
    password: SecretStr = Field(SecretStr(""), description="the password of the user")
    region: str = Field("", description="a region of AWS")
    service: Literal["es", "aoss"] = Field(
        "es", description="es for a managed domain, aoss for a serverless collection"
    )
    ca: Path | None = Field(None, description="a file of certificates")
    prefix: str = Field(
        "llmops-",
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="lower-case letters, digits, - and _, beginning with a letter or digit",
    )
    engine: Literal["lucene", "faiss"] = Field("lucene", description="lucene or faiss")
    shards: int = Field(1, ge=1, description="a whole number of at least 1")
    replicas: int = Field(1, ge=0, description="a whole number of at least 0")
    timeout: float = Field(10.0, gt=0, description="a number of seconds above 0")

    @property
    def urls(self) -> list[str]:
        """The address of each host."""
        return [each.strip().rstrip("/") for each in self.url.split(",")]

    @property
    def serverless(self) -> bool:
        """Whether the host is a serverless collection, which lacks some of the requests of a cluster."""
        return self.auth == "sigv4" and self.service == "aoss"

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        if self.auth == "basic" and not (self.username and self.password.get_secret_value()):
            raise WrongSetting(
                "LLMOPS_OPENSEARCH__AUTH=basic needs LLMOPS_OPENSEARCH__USERNAME and LLMOPS_OPENSEARCH__PASSWORD."
            )
        if self.auth == "sigv4" and not self.region:
            raise WrongSetting("LLMOPS_OPENSEARCH__AUTH=sigv4 needs LLMOPS_OPENSEARCH__REGION.")
        return self
