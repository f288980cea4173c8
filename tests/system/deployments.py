"""On which technologies a service of the system tests stands."""

from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from tests.servers.postgresql import a_database


class Deployment(Protocol):
    """A choice of technologies; only settings differ."""

    def settings(self) -> dict[str, str]:
        """`LLMOPS_...` names without the prefix, for services on a state and an index of their own."""
        ...

    def lose_index(self, data_dir: Path, settings: dict[str, str]) -> None:
        """Destroy the lore index of a service that is not running."""
        ...


class Embedded:
    """All in the process and its data folder."""

    def settings(self) -> dict[str, str]:
        return {}

    def lose_index(self, data_dir: Path, settings: dict[str, str]) -> None:
        for file in data_dir.glob("lore.sqlite*"):
            file.unlink()


class Production:
    """PostgreSQL; each call of `settings` makes a database, which `stack` drops."""

    def __init__(self, postgresql_url: str, stack: ExitStack) -> None:
        self._postgresql_url = postgresql_url
        self._stack = stack

    def settings(self) -> dict[str, str]:
        database = self._stack.enter_context(a_database(self._postgresql_url))
        return {"DATABASE_URL": database.replace("postgresql://", "postgresql+asyncpg://")}

    def lose_index(self, data_dir: Path, settings: dict[str, str]) -> None:
        Embedded().lose_index(data_dir, settings)
