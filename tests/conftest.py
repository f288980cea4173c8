"""What every test may use: the service in this process on a fresh folder, and a network that ends at loopback."""

import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from llmops_api.adapters.database.store import open_state_store
from llmops_api.adapters.embedded.index import open_lore_index
from llmops_api.app import create_app
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import StateStore
from llmops_api.settings import Settings
from tests.support import ADMIN_KEY, Clock, client_of

pytest_plugins = ["tests.servers.opensearch", "tests.servers.postgresql", "tests.upstreams.fixtures"]

LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A build may run us with Ctrl-C ignored, and every process that a test starts would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would leave this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(LOOPBACK):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings come from the test alone: not from the machine, not from a `.env` beside us."""
    for name in [name for name in os.environ if name.startswith(("LLMOPS_", "AWS_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", admin_key=ADMIN_KEY, seed=False, embedder="none")


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The service, started."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the admin key."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[StateStore]:
    async with open_state_store(database_url=f"sqlite+aiosqlite:///{tmp_path / 'state.sqlite'}") as opened:
        yield opened


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[LoreIndex]:
    async with open_lore_index(folder=tmp_path / "index") as opened:
        yield opened


@pytest.fixture(scope="session")
def lore_folder() -> Path:
    """The real lore: bodies of documents with questions, under their own licences, so never part of this repository."""
    folder = Path(os.environ.get("LLMOPS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / "srd5e" / "corpus.jsonl").is_file():
        pytest.skip(f"needs real lore in {folder}; LLMOPS_TEST_DATA names another folder")
    return folder
