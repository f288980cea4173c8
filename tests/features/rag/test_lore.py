"""Lore over HTTP: stored, found, changed, re-indexed, and never embedded twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from llmops_api.app import create_app
from llmops_api.bootstrap import open_backends
from llmops_api.settings import Settings
from tests.support import CountingEmbedder, ended, serving

BELL = {
    "title": "The Drowned Bell",
    "text": "The Drowned Bell rings under the river on the first night of frost.",
    "tags": ["river"],
}
MILL = {
    "title": "The Old Mill",
    "text": "The Old Mill grinds barley for the guild of brewers.",
    "tags": ["guild"],
    "kind": "place",
}


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
async def service(settings: Settings, embedder: CountingEmbedder) -> AsyncIterator[httpx2.AsyncClient]:
    """The service with an embedder that remembers what it embedded, and a world `w` with two documents."""
    async with _service(settings, embedder) as client:
        await client.put("/v1/worlds/w", json={"title": "W"})
        await client.put("/v1/worlds/w/lore/item/bell", json=BELL)
        await client.put("/v1/worlds/w/lore/place/mill", json=MILL)
        yield client


@asynccontextmanager
async def _service(settings: Settings, embedder: CountingEmbedder) -> AsyncIterator[httpx2.AsyncClient]:
    """The service on real backends but for the embedder."""
    async with open_backends(settings) as backends:
        app = create_app(settings, replace(backends, embedder=embedder))
        async with serving(app) as client:
            yield client


async def _found(client: httpx2.AsyncClient, query: str, **more: Any) -> list[str]:
    answer = await client.post("/v1/worlds/w/lore/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return [hit["document_id"] for hit in answer.json()["hits"]]


async def test_a_document_is_found_as_soon_as_it_is_acknowledged(service: httpx2.AsyncClient) -> None:
    """The search right after the PUT finds it, and its explanation says why."""
    put = await service.put(
        "/v1/worlds/w/lore/event/flood", json={"title": "The Flood", "text": "Water stood in the crypt."}
    )

    answer = await service.post("/v1/worlds/w/lore/search", json={"query": "water in the crypt", "explain": True})
    hit = answer.json()["hits"][0]

    assert put.status_code == 201
    assert put.json() == {"document_id": "event/flood", "version": 1, "chunks": 1, "changed": True}
    assert hit["document_id"] == "event/flood"
    assert hit["text"] == "Water stood in the crypt."
    assert hit["explanation"]["keyword_rank"] == 1


async def test_a_changed_document_is_found_by_its_new_words_alone(service: httpx2.AsyncClient) -> None:
    """The old words are gone from the index with the answer to the PUT."""
    await service.put("/v1/worlds/w/lore/item/bell", json=BELL | {"text": "It hangs in the tower now."})

    old = await service.post("/v1/worlds/w/lore/search", json={"query": "frost", "mode": "keyword"})
    new = await _found(service, "tower", mode="keyword")

    assert old.json()["hits"] == []
    assert new == ["item/bell"]


async def test_a_deleted_document_is_not_found(service: httpx2.AsyncClient) -> None:
    """Nor read; deleting it again is 404."""
    deleted = await service.delete("/v1/worlds/w/lore/item/bell")

    assert deleted.status_code == 204
    assert "item/bell" not in await _found(service, "the drowned bell")
    assert (await service.get("/v1/worlds/w/lore/item/bell")).status_code == 404
    assert (await service.delete("/v1/worlds/w/lore/item/bell")).status_code == 404


async def test_the_same_content_again_changes_nothing_and_is_not_embedded(
    service: httpx2.AsyncClient, embedder: CountingEmbedder
) -> None:
    """Same version, `changed` false, no call of the embedder."""
    embedder.documents.clear()
    again = await service.put("/v1/worlds/w/lore/item/bell", json=BELL)

    assert again.status_code == 200
    assert again.json()["changed"] is False
    assert again.json()["version"] == 1
    assert embedder.documents == []


async def test_new_tags_do_not_embed_the_text_again(service: httpx2.AsyncClient, embedder: CountingEmbedder) -> None:
    """The vector belongs to the words, and these are the same."""
    embedder.documents.clear()
    changed = await service.put("/v1/worlds/w/lore/item/bell", json=BELL | {"tags": ["river", "secret"]})

    assert changed.json()["changed"] is True
    assert embedder.documents == []
    assert await _found(service, "bell", filter={"tags_all": ["river", "secret"]}) == ["item/bell"]


async def test_filters_hold_in_every_mode(service: httpx2.AsyncClient) -> None:
    """What a filter does not allow is found by no side."""
    for mode in ("hybrid", "keyword", "vector"):
        assert set(await _found(service, "the drowned bell", mode=mode, filter={"kinds": ["place"]})) <= {"place/mill"}


async def test_of_two_writers_one_loses(service: httpx2.AsyncClient) -> None:
    """Both read version 1; the second to write gets 412, and its words are not found."""
    read = await service.get("/v1/worlds/w/lore/item/bell")
    match = {"if-match": read.headers["etag"]}

    first = await service.put("/v1/worlds/w/lore/item/bell", json=BELL | {"text": "Of bronze."}, headers=match)
    second = await service.put("/v1/worlds/w/lore/item/bell", json=BELL | {"text": "Of copper."}, headers=match)

    assert [first.status_code, second.status_code] == [200, 412]
    assert await _found(service, "copper", mode="keyword") == []
    assert await _found(service, "bronze", mode="keyword") == ["item/bell"]


async def test_a_reindex_with_the_same_embedder_embeds_nothing(
    service: httpx2.AsyncClient, embedder: CountingEmbedder
) -> None:
    """The vectors move; the answer's lore version is another one."""
    before = (await service.post("/v1/worlds/w/lore/search", json={"query": "bell"})).json()["lore_version"]
    embedder.documents.clear()

    started = await service.post("/v1/worlds/w/lore/reindex")
    job = await ended(service, started.json()["job_id"])
    after = await service.post("/v1/worlds/w/lore/search", json={"query": "the drowned bell"})

    assert started.status_code == 202
    assert job["status"] == "succeeded"
    assert job["progress"] == {"done": 2, "total": 2}
    assert embedder.documents == []
    assert after.json()["hits"][0]["document_id"] == "item/bell"
    assert after.json()["lore_version"] != before


async def test_a_new_embedder_is_never_compared_with_the_old_ones_vectors(
    settings: Settings, embedder: CountingEmbedder
) -> None:
    """Until the re-index, keywords alone; after it, both sides again."""
    other = CountingEmbedder("other-letters")
    async with _service(settings, embedder) as client:
        await client.put("/v1/worlds/w", json={"title": "W"})
        await client.put("/v1/worlds/w/lore/item/bell", json=BELL)
    async with _service(settings, other) as client:
        query = {"query": "drowned bell", "explain": True}
        keywords = await client.post("/v1/worlds/w/lore/search", json=query)
        await ended(client, (await client.post("/v1/worlds/w/lore/reindex")).json()["job_id"])
        both = await client.post("/v1/worlds/w/lore/search", json=query)

    assert keywords.json()["hits"][0]["explanation"]["cosine"] is None
    assert both.json()["hits"][0]["explanation"]["cosine"] is not None
    assert len(other.documents) == 1


async def test_a_language_that_the_embedder_does_not_know_is_found_by_keywords(
    service: httpx2.AsyncClient, embedder: CountingEmbedder
) -> None:
    """A Spanish document in a Spanish world is not embedded, and still found."""
    embedder.documents.clear()
    await service.put("/v1/worlds/es", json={"title": "Mundo", "locale": "es"})
    await service.put(
        "/v1/worlds/es/lore/campana", json={"title": "La campana", "text": "La campana suena bajo el río."}
    )
    answer = await service.post("/v1/worlds/es/lore/search", json={"query": "¿Dónde suena la campana?"})

    assert embedder.documents == []
    assert answer.json()["hits"][0]["document_id"] == "campana"


async def test_lists_are_paged_and_filtered(service: httpx2.AsyncClient) -> None:
    """One item a page, the cursor leads to the next; `tag`, `kind` and `q` narrow."""
    first = (await service.get("/v1/worlds/w/lore", params={"limit": 1})).json()
    second = (await service.get("/v1/worlds/w/lore", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    narrowed = [
        (await service.get("/v1/worlds/w/lore", params=wanted)).json()["items"]
        for wanted in ({"tag": "guild"}, {"kind": "place"}, {"q": "MILL"})
    ]

    assert [first["items"][0]["document_id"], second["items"][0]["document_id"]] == ["item/bell", "place/mill"]
    assert second["next_cursor"] is None
    assert [[item["document_id"] for item in items] for items in narrowed] == [["place/mill"]] * 3


async def test_a_world_takes_its_lore_along_when_it_goes(service: httpx2.AsyncClient) -> None:
    """A world of the same name begins empty."""
    await service.delete("/v1/worlds/w")
    await service.put("/v1/worlds/w", json={"title": "W"})

    assert await _found(service, "the drowned bell") == []
    assert (await service.get("/v1/worlds/w/lore")).json()["items"] == []
