"""What a service does before its first request, seen from outside over several starts."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from llmops_api.app import create_app
from llmops_api.bootstrap import open_backends
from llmops_api.core.lore import DOCUMENT
from llmops_api.core.seeding import sample
from llmops_api.core.worlds import IMPORTING, POINTER
from llmops_api.ports.state import Delete, Put
from llmops_api.settings import Settings
from tests.support import IdleRunner, client_of, serving


@asynccontextmanager
async def _started(settings: Settings, *, seed: bool | str) -> AsyncIterator[httpx2.AsyncClient]:
    """One start of the service on the same folder."""
    settings = settings.model_copy(update={"seed": seed})
    async with (
        open_backends(settings) as backends,
        serving(create_app(settings, replace(backends, jobs=IdleRunner()))) as client,
    ):
        yield client


async def _worlds(client: httpx2.AsyncClient) -> list[str]:
    return [each["world"] for each in (await client.get("/v1/worlds")).json()["items"]]


async def test_a_fresh_folder_gets_the_sample_world(settings: Settings) -> None:
    """With all its lore, which is found, and all its characters, who talk."""
    given = sample()
    async with _started(settings, seed=True) as client:
        lore = (await client.get("/v1/worlds/emberfall/lore", params={"limit": 500})).json()["items"]
        characters = (await client.get("/v1/worlds/emberfall/characters")).json()["items"]
        asked = await client.post("/v1/worlds/emberfall/ask", json={"question": "When does the Ember Gate close?"})
        worlds = await _worlds(client)

    assert worlds == ["emberfall"]
    assert len(lore) == len(given.lore)
    assert [each["character"] for each in characters] == sorted(given.characters)
    assert (asked.status_code, asked.json()["refused"]) == (200, False)


@pytest.mark.parametrize("seed", [True, "mine"])
async def test_a_sample_world_that_was_deleted_stays_deleted(settings: Settings, seed: bool | str) -> None:
    """It is loaded at the first start alone, whatever name it was given."""
    name = "emberfall" if seed is True else "mine"
    async with _started(settings, seed=seed) as client:
        assert await _worlds(client) == [name]
        assert (await client.delete(f"/v1/worlds/{name}")).status_code == 204
    async with _started(settings, seed=seed) as client:
        assert await _worlds(client) == []


async def test_a_sample_world_whose_name_is_held_by_an_import_keeps_no_service_from_starting(
    settings: Settings,
) -> None:
    """A crash came while a world of that name was brought in: that one is wanted."""
    async with open_backends(settings) as backends:
        await backends.state.write(Put(IMPORTING, "emberfall", {"job_id": "job_1", "position": 1}))
    async with _started(settings, seed=True) as client:
        assert await _worlds(client) == []


async def test_what_was_changed_in_the_sample_world_stays_as_it_is(settings: Settings) -> None:
    async with _started(settings, seed=True) as client:
        await client.put("/v1/worlds/emberfall", json={"title": "Ours now"})
    async with _started(settings, seed=True) as client:
        assert (await client.get("/v1/worlds/emberfall")).json()["title"] == "Ours now"


async def test_a_service_that_has_a_world_gets_no_sample(settings: Settings) -> None:
    """Nor later, when it has none any more; but under a name it was asked for by name."""
    async with _started(settings, seed=False) as client:
        assert await _worlds(client) == []
        await client.put("/v1/worlds/ours", json={"title": "Ours"})
    async with _started(settings, seed=True) as client:
        assert await _worlds(client) == ["ours"]
        await client.delete("/v1/worlds/ours")
    async with _started(settings, seed=True) as client:
        assert await _worlds(client) == []
        await client.put("/v1/worlds/ours", json={"title": "Ours"})
    async with _started(settings, seed="mine") as client:
        assert await _worlds(client) == ["mine", "ours"]


async def test_without_an_admin_the_first_start_makes_a_key_for_its_owner_alone(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """One key in a file that nobody else may read, never in the log; the second start makes no other."""
    caplog.set_level("DEBUG")
    settings = settings.model_copy(update={"admin_key": None})
    seen = []
    for _ in range(2):
        async with open_backends(settings) as backends:
            app = create_app(settings, replace(backends, jobs=IdleRunner()))
            async with app.router.lifespan_context(app):
                token = settings.key_file.read_text("utf-8").strip()
                async with client_of(app, token) as client:
                    keys = (await client.get("/v1/keys")).json()["items"]
        seen.append((token, [each["key_id"] for each in keys]))

    assert seen[0] == seen[1]
    assert [each["scopes"] for each in keys] == [["admin"]]
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert [path for path in _files(settings.data_dir) if token in path.read_text("latin-1")] == [settings.key_file]
    assert token not in caplog.text


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_with_an_admin_key_in_the_settings_none_is_made(settings: Settings) -> None:
    async with _started(settings, seed=False) as client:
        assert (await client.get("/v1/keys")).json()["items"] == []

    assert not settings.key_file.exists()


async def test_a_start_brings_every_index_in_step_with_its_records(settings: Settings) -> None:
    """One was lost, in the other a crash had cut off a deletion."""
    async with _started(settings, seed=False) as client:
        for world in ("lost", "late"):
            await client.put(f"/v1/worlds/{world}", json={"title": world})
            await client.put(f"/v1/worlds/{world}/lore/bell", json={"title": "Bell", "text": "It rings at frost."})
    async with open_backends(settings) as backends:
        await backends.state.write(Delete(DOCUMENT, "late/bell"))
        pointer = await backends.state.get(POINTER, "lost")
        assert pointer is not None
        await backends.lore.drop(pointer.value["live"]["name"])
    async with _started(settings, seed=False) as client, asyncio.timeout(20):
        await _until_found(client, "lost", ["bell"])
        await _until_found(client, "late", [])


async def _until_found(client: httpx2.AsyncClient, world: str, documents: list[str]) -> None:
    """Wait until a search finds these; while the index is lost it finds nothing at all."""
    while True:
        answer = await client.post(f"/v1/worlds/{world}/lore/search", json={"query": "frost", "mode": "keyword"})
        if answer.status_code == 200 and [hit["document_id"] for hit in answer.json()["hits"]] == documents:
            return
        await asyncio.sleep(0.01)
