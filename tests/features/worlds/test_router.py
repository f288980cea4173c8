"""Worlds over HTTP."""

import asyncio
from typing import Any

import httpx2
from fastapi import FastAPI

from tests.support import client_of

FULL = {
    "title": "Saltmarsh",
    "description": "A town on stilts.",
    "locale": "pt-BR",
    "dialogue": {"deadline_ms": 900, "history_turns": 4, "model": "default"},
    "gate_threshold": 0.5,
}
BELL = {"title": "Bell", "text": "It rings under the river."}


async def test_a_world_is_created_read_replaced_and_deleted(client: httpx2.AsyncClient) -> None:
    """201 and 200 with the version as ETag; what a replacement leaves out is its default again."""
    created = await client.put("/v1/worlds/w", json=FULL)
    same = await client.put("/v1/worlds/w", json=FULL)
    read = await client.get("/v1/worlds/w")
    replaced = await client.put("/v1/worlds/w", json={"title": "Salt"})
    deleted = await client.delete("/v1/worlds/w")

    assert [each.status_code for each in (created, same, read, replaced, deleted)] == [201, 200, 200, 200, 204]
    assert [each.headers["etag"] for each in (created, same, read, replaced)] == ['"1"', '"1"', '"1"', '"2"']
    assert created.json() == read.json() == FULL | {"world": "w", "version": 1}
    assert replaced.json() == {
        "world": "w",
        "version": 2,
        "title": "Salt",
        "description": "",
        "locale": "en",
        "dialogue": {},
        "gate_threshold": None,
    }
    assert (await client.get("/v1/worlds/w")).status_code == 404
    assert (await client.delete("/v1/worlds/w")).status_code == 404


async def test_of_two_writers_one_gets_412(client: httpx2.AsyncClient) -> None:
    """Replacing and deleting alike; the world stays as the first has left it, with all that is in it."""
    await client.put("/v1/worlds/w", json={"title": "One"})
    await client.put("/v1/worlds/w", json={"title": "Two"}, headers={"if-match": '"1"'})
    await client.put("/v1/worlds/w/lore/bell", json=BELL)
    late = {"if-match": '"1"'}
    put = await client.put("/v1/worlds/w", json={"title": "Late"}, headers=late)
    deleted = await client.delete("/v1/worlds/w", headers=late)

    assert [(each.status_code, each.json()["code"]) for each in (put, deleted)] == [(412, "version_mismatch")] * 2
    assert (await client.get("/v1/worlds/w")).json()["title"] == "Two"
    assert (await client.get("/v1/worlds/w/lore/bell")).status_code == 200


async def test_a_replaced_world_keeps_its_lore(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/worlds/w", json={"title": "One"})
    await client.put("/v1/worlds/w/lore/bell", json=BELL)
    await client.put("/v1/worlds/w", json={"title": "Two"})
    found = await client.post("/v1/worlds/w/lore/search", json={"query": "river"})

    assert [hit["document_id"] for hit in found.json()["hits"]] == ["bell"]


async def test_worlds_come_in_pages_by_id(client: httpx2.AsyncClient) -> None:
    for world in ("c", "a", "b"):
        await client.put(f"/v1/worlds/{world}", json={"title": world})
    first = (await client.get("/v1/worlds", params={"limit": 2})).json()
    second = (await client.get("/v1/worlds", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [[each["world"] for each in page["items"]] for page in (first, second)] == [["a", "b"], ["c"]]
    assert second["next_cursor"] is None


async def test_a_key_of_one_world_reaches_no_other_in_any_way(client: httpx2.AsyncClient, app: FastAPI) -> None:
    """Reading, replacing, deleting and creating are all 404, and the other world stays as it was."""
    for world in ("ours", "theirs"):
        await client.put(f"/v1/worlds/{world}", json={"title": world})
    made = await client.post("/v1/keys", json={"name": "n", "scopes": ["writer"], "world": "ours"})
    async with client_of(app, made.json()["key"]) as bound:
        for world in ("theirs", "none"):
            for method in ("GET", "PUT", "DELETE"):
                body = {"title": "Mine"} if method == "PUT" else None
                answer = await bound.request(method, f"/v1/worlds/{world}", json=body)
                assert answer.status_code == 404
        assert (await bound.put("/v1/worlds/ours", json={"title": "New"})).status_code == 200

    assert (await client.get("/v1/worlds/theirs")).json()["title"] == "theirs"
    assert (await client.get("/v1/worlds/none")).status_code == 404


async def test_a_game_reads_worlds_and_writes_none(client: httpx2.AsyncClient, app: FastAPI) -> None:
    await client.put("/v1/worlds/w", json={"title": "W"})
    made = await client.post("/v1/keys", json={"name": "n", "scopes": ["game"]})
    async with client_of(app, made.json()["key"]) as game:
        answers = [
            await game.get("/v1/worlds/w"),
            await game.put("/v1/worlds/w", json={"title": "Mine"}),
            await game.delete("/v1/worlds/w"),
        ]

    assert [answer.status_code for answer in answers] == [200, 403, 403]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"title": "\u200b"}, "/title"),
    ({"title": "x" * 201}, "/title"),
    ({"locale": "english please"}, "/locale"),
    ({"dialogue": {"deadline_ms": 0}}, "/dialogue/deadline_ms"),
    ({"dialogue": {"modle": "default"}}, "/dialogue/modle"),
    ({"gate_threshold": 101}, "/gate_threshold"),
]


async def test_a_wrong_world_is_refused_with_its_field_named(client: httpx2.AsyncClient) -> None:
    for change, field in WRONG:
        answer = await client.put("/v1/worlds/w", json=FULL | change)

        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert (await client.get("/v1/worlds/w")).status_code == 404


async def test_what_was_deleted_with_a_world_does_not_come_back_with_the_next_of_that_name(
    client: httpx2.AsyncClient,
) -> None:
    """Writers who are at it meanwhile leave nothing behind either."""
    await client.put("/v1/worlds/w", json={"title": "One"})
    puts = [
        client.put(f"/v1/worlds/w/{kind}/{number}", json=body)
        for number in range(30)
        for kind, body in (("lore", BELL), ("characters", {"name": "Joss"}))
    ]
    *answers, _ = await asyncio.gather(*puts, client.delete("/v1/worlds/w"))
    await client.put("/v1/worlds/w", json={"title": "Two"})

    assert {each.status_code for each in answers} <= {201, 404}
    assert (await client.get("/v1/worlds/w/lore")).json()["items"] == []
    assert (await client.get("/v1/worlds/w/characters")).json()["items"] == []


async def test_lore_is_found_in_the_new_language_of_its_world(client: httpx2.AsyncClient) -> None:
    """The re-index starts by itself."""
    await client.put("/v1/worlds/w", json={"title": "One"})
    await client.put("/v1/worlds/w/lore/bell", json={"title": "Zorbling", "text": "Ein kleines Wesen."})
    await client.put("/v1/worlds/w", json={"title": "Eins", "locale": "de"})

    async with asyncio.timeout(20):
        while True:
            found = await client.post("/v1/worlds/w/lore/search", json={"query": "Zorbling"})
            if found.json()["hits"]:
                return
            await asyncio.sleep(0.05)


async def test_what_get_answers_may_be_put_back(client: httpx2.AsyncClient) -> None:
    """A writer edits what was read: a world, a document, a character. Nothing changes but what was edited."""
    await client.put("/v1/worlds/w", json=FULL)
    await client.put("/v1/worlds/w/lore/bell", json=BELL)
    await client.put("/v1/worlds/w/characters/guard", json={"name": "Joss", "knowledge": {"tags": ["common"]}})

    for path in ("/v1/worlds/w", "/v1/worlds/w/lore/bell", "/v1/worlds/w/characters/guard"):
        read = await client.get(path)
        same = await client.put(path, json=read.json(), headers={"if-match": read.headers["etag"]})
        again = await client.get(path)

        assert (same.status_code, again.headers["etag"]) == (200, read.headers["etag"])
        assert again.json() == read.json()
