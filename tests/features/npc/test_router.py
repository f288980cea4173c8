"""Characters, dialogue and conversations over HTTP."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from llmops_api.core.conversations import Conversations
from llmops_api.features.npc.recorder import Recorder
from tests.features.npc.stage import Meddled
from tests.support import events_of

WORLD = "/v1/worlds/w"
GUARD = f"{WORLD}/characters/guard"
SHEET = {
    "name": "Joss",
    "description": "Keeper of the Ember Gate.",
    "greeting": "Two boots, no geese.",
    "knowledge": {"tags": ["common"]},
    "fallback_lines": ["Lost count.", "Not now."],
    "unknown_lines": ["Didn't come through this gate.", "Never counted it."],
    "voice": {"style": "Clipped."},
    "locales": ["en"],
}
GATE = {"title": "The Ember Gate", "text": "The Ember Gate closes at nine in the evening.", "tags": ["common"]}
LINE = {"player_id": "p1", "text": "When does the Ember Gate close?"}


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The service with a world, a lore document and a guard."""
    for path, body in ((WORLD, {"title": "W"}), (f"{WORLD}/lore/place/gate", GATE), (GUARD, SHEET)):
        assert (await client.put(path, json=body)).status_code == 201
    return client


async def _talk(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await client.post(f"{GUARD}/dialogue", json=LINE | more)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_character_is_written_read_and_deleted(world: httpx2.AsyncClient) -> None:
    again = await world.put(GUARD, json=SHEET)
    changed = await world.put(GUARD, json=SHEET | {"personality": "Cross."})
    first = await world.get(GUARD, params={"version": 1})
    versions = (await world.get(f"{GUARD}/versions")).json()["items"]
    deleted = await world.delete(GUARD)

    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    assert (changed.json()["version"], first.json()["personality"]) == (2, "")
    assert {name: first.json()[name] for name in SHEET if name != "knowledge"} == {
        name: value for name, value in SHEET.items() if name != "knowledge"
    }
    assert first.json()["knowledge"] == {"tags": ["common"], "kinds": [], "document_ids": []}
    assert [each["version"] for each in versions] == [2, 1]
    assert deleted.status_code == 204
    assert (await world.get(GUARD)).status_code == 404


async def test_of_two_writers_of_a_character_one_gets_412(world: httpx2.AsyncClient) -> None:
    headers = {"if-match": '"1"'}
    answers = await asyncio.gather(
        *(world.put(GUARD, json=SHEET | {"personality": mood}, headers=headers) for mood in ("calm", "cross"))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_characters_and_versions_come_in_pages(world: httpx2.AsyncClient) -> None:
    await world.put(f"{WORLD}/characters/host", json=SHEET)
    await world.put(GUARD, json=SHEET | {"personality": "Cross."})
    for path, name, expected in (
        (f"{WORLD}/characters", "character", ["guard", "host"]),
        (f"{GUARD}/versions", "version", [2, 1]),
    ):
        first = (await world.get(path, params={"limit": 1})).json()
        second = (await world.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()

        assert [first["items"][0][name], second["items"][0][name]] == expected
        assert second["next_cursor"] is None


WRONG_SHEETS = [
    ({"name": "\u200b\u200d"}, "/name"),
    ({"name": "x" * 201}, "/name"),
    ({"personality": "a\x00b"}, "/personality"),
    ({"fallback_lines": ["Hm.", " "]}, "/fallback_lines/1"),
    ({"knowledge": {"tag": ["common"]}}, "/knowledge/tag"),
    ({"knowledge": {"document_ids": ["../x"]}}, "/knowledge/document_ids/0"),
    ({"locales": ["english please"]}, "/locales/0"),
    ({"fallback_line": ["Hm."]}, "/fallback_line"),
    ({"voice": "gruff"}, "/voice"),
]


async def test_a_wrong_character_is_refused_with_the_field_named(world: httpx2.AsyncClient) -> None:
    for change, field in WRONG_SHEETS:
        answer = await world.put(GUARD, json=SHEET | change)

        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


WRONG_LINES = [
    ({"text": ""}, "/text"),
    ({"text": "\u200b"}, "/text"),
    ({"text": "x" * 2001}, "/text"),
    ({"player_id": "\x00"}, "/player_id"),
    ({"deadline_ms": 0}, "/deadline_ms"),
    ({"conversation_id": "a/b"}, "/conversation_id"),
    ({"model": "nothing:x"}, "/model"),
    ({"player": "p1"}, "/player"),
]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_wrong_line_is_refused_with_the_field_named(world: httpx2.AsyncClient, stream: bool) -> None:
    for change, field in WRONG_LINES:
        answer = await world.post(f"{GUARD}/dialogue", json=LINE | {"stream": stream} | change)

        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_fact_is_a_bounded_word_number_or_truth(world: httpx2.AsyncClient) -> None:
    for value in (b'{"a": 1}', b"[1]", b"null", b"1e400", b"1152921504606846976", b'"%s"' % (b"x" * 501)):
        body = orjson.dumps(LINE | {"facts": {"hour": "HERE"}}).replace(b'"HERE"', value)
        answer = await world.post(f"{GUARD}/dialogue", content=body, headers={"content-type": "application/json"})

        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"


async def test_streamed_and_whole_are_the_same_answer(world: httpx2.AsyncClient) -> None:
    whole = await _talk(world)
    streamed = await world.post(f"{GUARD}/dialogue", json=LINE | {"stream": True})
    events = events_of(streamed.text)
    name, done = events[-1]
    own = {"conversation_id", "turn_id", "line_id", "timing", "usage"}

    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert name == "done"
    assert {key: value for key, value in done.items() if key not in own} == {
        key: value for key, value in whole.items() if key not in own
    }
    assert "".join(data["text"] for name, data in events if name == "delta") == done["text"]
    assert events[0] == ("start", {key: done[key] for key in ("conversation_id", "turn_id", "line_id")})


async def test_a_conversation_is_listed_read_in_pages_and_deleted(world: httpx2.AsyncClient) -> None:
    first = await _talk(world, save_id="s1", facts={"hour": 21})
    second = await _talk(world, save_id="s1", conversation_id=first["conversation_id"])
    path = f"{WORLD}/conversations/{first['conversation_id']}"
    listed = (await world.get(f"{WORLD}/conversations", params={"player_id": "p1", "save_id": "s1"})).json()["items"]
    page = (await world.get(path, params={"limit": 1})).json()
    rest = (await world.get(path, params={"cursor": page["next_cursor"]})).json()

    assert [(each["conversation_id"], each["turn_count"]) for each in listed] == [(first["conversation_id"], 2)]
    assert [page["turns"][0]["turn_id"], rest["turns"][0]["turn_id"]] == [first["turn_id"], second["turn_id"]]
    assert (page["turns"][0]["facts"], page["turns"][0]["player_text"]) == ({"hour": 21}, LINE["text"])
    assert rest["next_cursor"] is None
    assert (await world.delete(path)).status_code == 204
    assert (await world.get(path)).status_code == 404


async def test_a_listing_shows_only_what_was_asked_for(world: httpx2.AsyncClient) -> None:
    await _talk(world)
    for word in ("player_id", "save_id", "character"):
        assert (await world.get(f"{WORLD}/conversations", params={word: "other"})).json()["items"] == []


async def test_a_cursor_that_is_none_of_ours_is_refused(world: httpx2.AsyncClient) -> None:
    conversation = (await _talk(world))["conversation_id"]
    for path in (f"{GUARD}/versions", f"{WORLD}/conversations/{conversation}"):
        answer = await world.get(path, params={"cursor": "eHl6"})

        assert answer.status_code == 422


async def test_a_retried_line_is_said_once(world: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "line-1"}
    first = await world.post(f"{GUARD}/dialogue", json=LINE, headers=headers)
    again = await world.post(f"{GUARD}/dialogue", json=LINE, headers=headers)
    conversation = first.json()["conversation_id"]

    assert again.json() == first.json()
    assert len((await world.get(f"{WORLD}/conversations/{conversation}")).json()["turns"]) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_there_is_404_before_any_stream_begins(world: httpx2.AsyncClient, stream: bool) -> None:
    for path, more in (
        (f"{WORLD}/characters/nobody/dialogue", {}),
        (f"{GUARD}/dialogue", {"conversation_id": "conv_none"}),
        ("/v1/worlds/nowhere/characters/guard/dialogue", {}),
    ):
        answer = await world.post(path, json=LINE | more | {"stream": stream})

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_deleted_world_takes_its_characters_and_conversations_along(
    world: httpx2.AsyncClient, app: FastAPI
) -> None:
    conversation = (await _talk(world))["conversation_id"]
    await world.delete(WORLD)
    await world.put(WORLD, json={"title": "W"})

    assert (await world.get(GUARD)).status_code == 404
    assert (await world.get(f"{WORLD}/conversations/{conversation}")).status_code == 404


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("DELETE", 204)])
async def test_a_conversation_that_was_answered_is_there_while_its_turn_is_still_being_written(
    app: FastAPI, world: httpx2.AsyncClient, method: str, status: int
) -> None:
    held, state = asyncio.Event(), app.state.backends.state

    async def slowly(*changes: Any) -> list[int]:
        await held.wait()
        written: list[int] = await state.write(*changes)
        return written

    slow: Any = Meddled(state, write=slowly)
    app.state.dialogue = replace(app.state.dialogue, recorder=Recorder(Conversations(slow)))
    answer = await _talk(world, deadline_ms=100)
    path = f"{WORLD}/conversations/{answer['conversation_id']}"
    request = asyncio.create_task(world.request(method, path))
    early, _ = await asyncio.wait({request}, timeout=0.1)
    held.set()

    assert not early
    assert (await request).status_code == status
    assert (await world.get(path)).status_code == (404 if method == "DELETE" else 200)
