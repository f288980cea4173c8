"""On which technologies a service of the system tests stands."""

import json
import urllib.request
import uuid
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
    """PostgreSQL and OpenSearch: each call of `settings` makes a database and a prefix, which `stack` removes."""

    def __init__(self, postgresql_url: str, opensearch_url: str, stack: ExitStack) -> None:
        self._postgresql_url = postgresql_url
        self._opensearch_url = opensearch_url
        self._stack = stack

    def settings(self) -> dict[str, str]:
        database = self._stack.enter_context(a_database(self._postgresql_url))
        settings = {
            "DATABASE_URL": database.replace("postgresql://", "postgresql+asyncpg://"),
            "LORE_INDEX": "opensearch",
            "OPENSEARCH__URL": self._opensearch_url,
            "OPENSEARCH__PREFIX": f"test-{uuid.uuid4().hex}-",
            "OPENSEARCH__REPLICAS": "0",
        }
        self._stack.callback(self._drop_indexes, settings["OPENSEARCH__PREFIX"])
        return settings

    def lose_index(self, data_dir: Path, settings: dict[str, str]) -> None:
        self._drop_indexes(settings["OPENSEARCH__PREFIX"])

    def _drop_indexes(self, prefix: str) -> None:
        for index in self._ask("GET", f"_cat/indices/{prefix}*?format=json"):
            self._ask("DELETE", index["index"])

    def _ask(self, method: str, path: str) -> list[dict[str, str]]:
        request = urllib.request.Request(f"{self._opensearch_url}/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: list[dict[str, str]] = json.load(answer)
            return found
