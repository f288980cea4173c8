"""What the model inside the process is told: which file, and how much of the machine it may take."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _all_cores_but_one() -> int:
    """llama.cpp's threads spin while they wait: on a core that others want too, they slow everything down tenfold."""
    return max(1, (os.cpu_count() or 1) - 1)


class LlamaCppSettings(BaseSettings):
    """Read from `LLMOPS_LLAMA_CPP__...`. The description of a setting says what it must be."""

    model_config = SettingsConfigDict(
        env_prefix="LLMOPS_LLAMA_CPP__", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    model_path: Path = Field(description="the path of a GGUF file with a chat model")
    context_size: int = Field(4096, ge=512, description="a whole number of at least 512")
    """Tokens of a prompt and its answer together; no more than the model was trained for are used."""

    threads: int = Field(default_factory=_all_cores_but_one, ge=1, le=512, description="a whole number from 1 to 512")
    """In a container the count of cores is the host's: there it is set to what the container may use, minus one."""

    parallel: int = Field(1, ge=1, le=64, description="a whole number from 1 to 64")
    """Answers at a time, each with a context of its own; who comes later waits in line."""
