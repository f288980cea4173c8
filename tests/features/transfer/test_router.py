"""Export and import over HTTP: what goes out comes in, and nothing comes in that did not go out so."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from llmops_api.app import create_app
from llmops_api.body_lines import METADATA_BYTES
from llmops_api.core.conversations import CONVERSATION, LAST_AUTHORED
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.world_files import Kind
from llmops_api.core.worlds import POINTER
from llmops_api.features.transfer.example import EXAMPLE
from llmops_api.settings import Settings
from tests.features.transfer.files import lines_of, sealed
from tests.support import client_of, ended, serving

W = "/v1/worlds/w"
GATE = {"title": "The Ember Gate", "text": "The Ember Gate closes at nine in the evening.", "tags": ["common"]}
GUARD = {"name": "Joss", "knowledge": {"tags": ["common"]}, "unknown_lines": ["Never counted it.", "Ask the Host."]}
LINE = {"player_id": "p1", "save_id": "s1", "text": "When does the Ember Gate close?"}
UNKNOWN = LINE | {"text": "Who painted the Mona Lisa?"}


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The service with a world `w` in which all has happened that can happen in one."""
    await client.put(W, json={"title": "Wörld", "gate_threshold": 0.25, "dialogue": {"history_turns": 3}})
    for title in ("The Gate", "The Ember Gate"):
        await client.put(f"{W}/lore/place/gate", json=GATE | {"title": title, "metadata": {"z": [1.5, None], "a": "ä"}})
    for method in ("PUT", "DELETE", "PUT", "DELETE"):
        await client.request(method, f"{W}/lore/place/mill", json=GATE)
    for name in ("Joss", "Joss Thrupp", "Corporal Joss Thrupp"):
        await client.put(f"{W}/characters/guard", json=GUARD | {"name": name})
    await client.put(f"{W}/characters/host", json=GUARD)
    await client.delete(f"{W}/characters/host")
    first = (await client.post(f"{W}/characters/guard/dialogue", json=LINE)).json()
    for line in (LINE, UNKNOWN):
        more = {"conversation_id": first["conversation_id"]}
        answer = await client.post(f"{W}/characters/guard/dialogue", json=line | more)
        assert answer.status_code == 200
    other = (await client.post(f"{W}/characters/guard/dialogue", json=LINE | {"player_id": "p2"})).json()
    for conversation in (first, other):
        await client.get(f"{W}/conversations/{conversation['conversation_id']}")  # waits until it is written
    return client


async def _exported(client: httpx2.AsyncClient, world: str = "w") -> bytes:
    answer = await client.get(f"/v1/worlds/{world}/export")
    assert answer.status_code == 200, answer.text
    return answer.content


async def _imported(client: httpx2.AsyncClient, file: bytes, world: str = "w") -> dict[str, Any]:
    started = await client.post(f"/v1/worlds/{world}/import", content=file)
    assert started.status_code == 202, started.text
    return await ended(client, started.json()["job_id"])


async def test_a_world_that_was_deleted_comes_back_as_it_was(world: httpx2.AsyncClient) -> None:
    """Over what the deletion has left of it: versions, times, ids and what had been deleted; the next export is equal."""
    file = await _exported(world)
    before = (await world.get(f"{W}/conversations", params={"player_id": "p1"})).json()
    await world.delete(W)

    job = await _imported(world, file)

    assert job["status"] == "succeeded"
    assert job["progress"] == {"done": job["progress"]["total"], "total": sum(job["result"].values()) + 1}
    assert job["result"] == {
        "world": 1,
        "lore-document": 2,
        "character": 2,
        "character-version": 2,
        "conversation": 2,
        "turn": 4,
        "last-authored-line": 1,
    }
    assert await _exported(world) == file
    assert (await world.get(f"{W}/conversations", params={"player_id": "p1"})).json() == before
    found = (await world.post(f"{W}/lore/search", json={"query": "When does the gate close?"})).json()
    assert [hit["document_id"] for hit in found["hits"]] == ["place/gate"]


async def test_a_world_lives_on_where_it_came_to(world: httpx2.AsyncClient) -> None:
    """Under another name: versions count on from where they were, also of what is deleted; conversations go on."""
    (talk,) = (await world.get(f"{W}/conversations", params={"player_id": "p1"})).json()["items"]
    gone = {line["id"]: line["number"] for line in lines_of(await _exported(world)) if line.get("value", 0) is None}
    await _imported(world, await _exported(world), "copy")
    copy = "/v1/worlds/copy"

    mill = (await world.put(f"{copy}/lore/place/mill", json=GATE)).json()
    host = (await world.put(f"{copy}/characters/host", json=GUARD)).json()
    guard = (await world.put(f"{copy}/characters/guard", json=GUARD)).json()
    versions = (await world.get(f"{copy}/characters/guard/versions")).json()["items"]
    said = await world.post(
        f"{copy}/characters/guard/dialogue", json=LINE | {"conversation_id": talk["conversation_id"]}
    )
    turns = (await world.get(f"{copy}/conversations/{talk['conversation_id']}")).json()["turns"]

    assert (mill["version"], host["version"]) == (gone["place/mill"] + 1, gone["host"] + 1)
    assert (guard["version"], [each["version"] for each in versions]) == (4, [4, 3, 2, 1])
    assert [turn["versions"]["character"] for turn in turns] == [3, 3, 3, 4]
    assert turns[-1]["line_id"] == said.json()["line_id"]


async def test_a_file_may_be_larger_than_any_other_body(settings: Settings) -> None:
    """It is read piece by piece; the limit is for what is held in memory."""
    lines = lines_of(EXAMPLE.encode())
    lines[2]["value"]["text"] = "big " * 500
    async with serving(create_app(settings.model_copy(update={"max_body_bytes": 1024}))) as client:
        assert (await _imported(client, sealed(lines)))["status"] == "succeeded"
        assert (await client.put(f"{W}/lore/big", json=lines[2]["value"])).status_code == 413


async def test_all_that_is_kept_under_a_world_is_in_its_file_or_made_from_it(
    world: httpx2.AsyncClient, settings: Settings
) -> None:
    """Whoever adds a kind of record adds it to the file."""
    with closing(sqlite3.connect(settings.data_dir / "state.sqlite")) as state:
        kinds = {kind for (kind,) in state.execute("SELECT DISTINCT kind FROM records WHERE key || '/' LIKE 'w/%'")}
        streams = {name for (name,) in state.execute("SELECT DISTINCT stream FROM events WHERE stream LIKE '%/w/%'")}

    derived = {POINTER, *(f"conversation-by-{word}" for word in ("player", "save", "character"))}
    assert kinds - derived == set(Kind) - {Kind.TURN}
    assert all(stream.startswith(f"{CONVERSATION}/w/") for stream in streams)
    assert LAST_AUTHORED in kinds


async def test_no_key_is_in_a_file(world: httpx2.AsyncClient) -> None:
    key = (await world.post("/v1/keys", json={"name": "Ann", "scopes": ["game"], "world": "w"})).json()

    assert key["key_id"].encode() not in await _exported(world)


async def test_only_an_admin_takes_a_world_away_or_brings_one_in(world: httpx2.AsyncClient, app: FastAPI) -> None:
    """Of a world that the key does not see nothing is told."""
    for scopes, bound, status in ((["writer", "game"], None, 403), (["admin"], "other", 404), (["admin"], "w", 200)):
        made = await world.post("/v1/keys", json={"name": "n", "scopes": scopes, "world": bound})
        async with client_of(app, made.json()["key"]) as client:
            assert (await client.get(f"{W}/export")).status_code == status
            answer = await client.post(f"{W}/import", content=EXAMPLE)
            assert answer.status_code == {200: 409}.get(status, status)


async def test_a_name_that_is_taken_is_refused(world: httpx2.AsyncClient) -> None:
    file = await _exported(world)
    answer = await world.post(f"{W}/import", content=file)

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert await _exported(world) == file


async def test_an_import_that_is_sent_twice_is_done_once(client: httpx2.AsyncClient) -> None:
    """With the same key: the same job, though the world is there by now. With another file: refused."""
    headers = {"idempotency-key": "import-1"}
    first = await client.post(f"{W}/import", content=EXAMPLE, headers=headers)
    await ended(client, first.json()["job_id"])
    again = await client.post(f"{W}/import", content=EXAMPLE, headers=headers)
    other = sealed([line for line in lines_of(EXAMPLE.encode()) if line.get("kind") != "lore-document"])
    another = await client.post(f"{W}/import", content=other, headers=headers)

    assert (again.status_code, again.json()) == (202, first.json())
    assert another.status_code == 422
    assert (await client.get(f"{W}/lore/place/weeping-stone")).json()["version"] == 2


class Brake:
    """While it is on, imports get as far as the lore and no further; `reached` is set when one is there."""

    def __init__(self, lore: LoreLibrary) -> None:
        self.on = True
        self.reached = asyncio.Event()
        self._sync = lore.sync

    async def sync(self, *given: Any) -> None:
        if self.on:
            self.reached.set()
            await asyncio.Event().wait()
        await self._sync(*given)


@pytest.fixture
def brake(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Brake:
    brake = Brake(app.state.lore)
    monkeypatch.setattr(app.state.lore, "sync", brake.sync)
    return brake


async def _cancelled(client: httpx2.AsyncClient, file: bytes, world: str, brake: Brake) -> None:
    """Begin an import, and cancel it when most of its work is done."""
    started = (await client.post(f"/v1/worlds/{world}/import", content=file)).json()
    await brake.reached.wait()
    await client.delete(f"/v1/jobs/{started['job_id']}")


async def test_a_running_import_has_the_name_for_itself(world: httpx2.AsyncClient, brake: Brake) -> None:
    """Nobody sees a world of it, makes one or imports another; the refusal names the job."""
    started = (await world.post("/v1/worlds/new/import", content=EXAMPLE)).json()
    await brake.reached.wait()

    second = await world.post("/v1/worlds/new/import", content=EXAMPLE)

    assert (second.status_code, started["job_id"] in second.json()["detail"]) == (409, True)
    assert (await world.put("/v1/worlds/new", json={"title": "New"})).status_code == 409
    assert (await world.get("/v1/worlds/new")).status_code == 404
    assert [each["world"] for each in (await world.get("/v1/worlds")).json()["items"]] == ["w"]


async def test_what_a_cancelled_import_left_is_removed_by_a_deletion(world: httpx2.AsyncClient, brake: Brake) -> None:
    await _cancelled(world, await _exported(world), "new", brake)
    assert (await world.put("/v1/worlds/new", json={"title": "New"})).status_code == 409

    assert (await world.delete("/v1/worlds/new")).status_code == 204

    assert (await world.put("/v1/worlds/new", json={"title": "New"})).status_code == 201
    assert {line["value"] for line in lines_of(await _exported(world, "new"))[2:-1]} == {None}


async def test_what_a_cancelled_import_left_is_removed_by_another(world: httpx2.AsyncClient, brake: Brake) -> None:
    """Even the numbers: the world is that of the second file, as if there had been no other."""
    await _cancelled(world, await _exported(world), "driftwood", brake)
    brake.on = False

    assert (await _imported(world, EXAMPLE.encode(), "driftwood"))["status"] == "succeeded"

    assert (await _exported(world, "driftwood")).decode() == EXAMPLE


async def test_an_import_into_a_world_that_is_deleted_meanwhile_brings_nothing_back(
    world: httpx2.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is cancelled with the world."""
    file = await _exported(world)
    reached, go_on = asyncio.Event(), asyncio.Event()
    write = app.state.imports.write

    async def slow(*given: Any) -> Any:
        reached.set()
        await go_on.wait()
        return await write(*given)

    monkeypatch.setattr(type(app.state.imports), "write", lambda _, *given: slow(*given))
    started = (await world.post("/v1/worlds/new/import", content=file)).json()
    await reached.wait()
    assert (await world.delete("/v1/worlds/new")).status_code == 204
    go_on.set()
    job = await ended(world, started["job_id"])

    assert job["status"] == "cancelled"
    assert (await world.put("/v1/worlds/new", json={"title": "New"})).status_code == 201
    assert (await world.get("/v1/worlds/new/lore")).json()["items"] == []


HOSTILE: list[tuple[str, Any, int, str]] = [
    ("cut in the middle of a line", lambda lines: b"\n".join(lines)[:-300], 0, ""),
    ("cut after a line", lambda lines: b"\n".join(lines[:-1]) + b"\n", 0, ""),
    ("nothing", lambda _: b"", 1, ""),
    ("only a header", lambda lines: lines[0], 2, ""),
    ("no header", lambda lines: b"\n".join(lines[1:]), 1, "/format"),
    ("another format", lambda _: b'{"id": "a", "title": "A", "text": "b"}', 1, "/format"),
    ("not text", lambda _: bytes(range(256)) * 9, 1, ""),
    ("lines after the end", lambda lines: b"\n".join([*lines, lines[1]]), 0, ""),
    ("a letter changed", lambda lines: b"\n".join(lines).replace(b"evening", b"morning"), 0, "/sha256"),
    ("line ends changed", b"\r\n".join, 0, "/sha256"),
    ("a line left out", lambda lines: b"\n".join([*lines[:2], *lines[3:]]), 0, "/counts"),
    ("two lines swapped", lambda lines: sealed([*lines[:2], lines[3], lines[2], *lines[4:]]), 4, ""),
    ("a line twice", lambda lines: sealed([*lines[:3], lines[2], *lines[3:]]), 4, ""),
    ("two worlds", lambda lines: sealed([*lines[:2], lines[1], *lines[2:]]), 3, ""),
    ("no world", lambda lines: sealed([lines[0], *lines[2:]]), 2, ""),
]


@pytest.mark.parametrize(("spoil", "line", "field"), [each[1:] for each in HOSTILE], ids=[each[0] for each in HOSTILE])
async def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(
    world: httpx2.AsyncClient, settings: Settings, spoil: Any, line: int, field: str
) -> None:
    """With the number of the line (0: whichever); and the whole file is taken afterwards."""
    file = await _exported(world)

    answer = await world.post("/v1/worlds/new/import", content=spoil(file.splitlines()))

    problem = answer.json()
    assert answer.status_code == 422, answer.text
    assert problem["errors"][0]["field"] == field
    assert problem["line"] == (line or problem["line"])
    assert f"Line {problem['line']} is wrong" in problem["detail"]
    assert (await world.put("/v1/worlds/new", json={"title": "New"})).status_code == 201
    await world.delete("/v1/worlds/new")
    assert (await _imported(world, file, "new"))["status"] == "succeeded"


CHANGES: list[tuple[int, dict[str, Any], str]] = [
    (1, {"format_version": 2}, "/format_version"),
    (1, {"format_version": 0}, "/format_version"),
    (1, {"format_version": "1"}, "/format_version"),
    (1, {"world": "../w"}, "/world"),
    (2, {"id": "other"}, "/id"),
    (2, {"value": None}, "/value"),
    (3, {"kind": "memory"}, "/kind"),
    (3, {"kind": ["lore-document"]}, "/kind"),
    (3, {"id": "../../etc"}, "/id"),
    (3, {"number": 0}, "/number"),
    (3, {"number": 2**53 + 1}, "/number"),
    (3, {"number": 1.5}, "/number"),
    (3, {"at": "2026-13-01T00:00:00.000000Z"}, "/at"),
    (3, {"at": "yesterday"}, "/at"),
    (3, {"more": 1}, "/more"),
    (3, {"value": {"title": 5}}, "/value/title"),
    (3, {"value": {"importance": "3"}}, "/value/importance"),
    (3, {"value": {"tag": "x"}}, "/value/tag"),
    (3, {"value": {"text": "a\0b"}}, ""),
    (3, {"value": {"metadata": {"deep": "[" * 400}}}, "/value"),
    (5, {"value": {"knowledge": {"tags": ["x" * 101]}}}, "/value/knowledge/tags/0"),
    (6, {"id": "other"}, "/id"),
    (6, {"number": 3}, "/number"),
    (9, {"value": {"created_at": "today"}}, "/value/created_at"),
    (10, {"number": 2}, "/number"),
    (10, {"value": {"spoken_by": "a ghost"}}, "/value/spoken_by"),
    (10, {"value": {"citations": [{"title": "x"}]}}, "/value/citations/0/document_id"),
]


@pytest.mark.parametrize(("number", "change", "field"), CHANGES)
async def test_a_line_that_is_not_what_an_export_writes_is_named(
    world: httpx2.AsyncClient, number: int, change: dict[str, Any], field: str
) -> None:
    """Also where the end was made to fit."""
    lines = lines_of(await _exported(world))
    line = lines[number - 1]
    value = change.get("value")
    lines[number - 1] = line | change | ({"value": line["value"] | value} if value else {})
    file = sealed(lines).replace(b'"' + b"[" * 400 + b'"', b"[" * 400 + b"]" * 400)

    answer = await world.post("/v1/worlds/new/import", content=file)

    problem = answer.json()
    assert (answer.status_code, problem["line"]) == (422, number), answer.text
    assert field in [each["field"] for each in problem["errors"]]
    assert (await world.get("/v1/worlds/new")).status_code == 404


async def test_a_kind_of_a_later_release_is_refused_by_its_name(client: httpx2.AsyncClient) -> None:
    lines = lines_of(EXAMPLE.encode())
    lines.insert(-1, lines[-2] | {"kind": "memory"})

    (fault,) = (await client.post(f"{W}/import", content=sealed(lines))).json()["errors"]

    assert "'memory'" in fault["message"]
    assert "newer release" in fault["hint"]


async def test_a_line_of_ten_megabytes_is_refused(client: httpx2.AsyncClient) -> None:
    """It says which limit, and what raises it."""
    lines = lines_of(EXAMPLE.encode())
    lines[2]["value"]["text"] = "x" * 10_000_000

    answer = await client.post(f"{W}/import", content=sealed(lines))

    assert (answer.status_code, answer.json()["line"]) == (422, 3)
    assert "MAX_DOCUMENT_CHARS" in answer.json()["errors"][0]["hint"]


def _largest() -> dict[str, Any]:
    """Every field as long as it may be, of characters that take most room in JSON."""
    names = [f"{number:03}".rjust(100, "\x01") for number in range(100)]
    metadata = {"": "x" * (METADATA_BYTES - len('{"":""}'))}
    text = "x".rjust(500_000, "\x01")
    title, kind = "x".rjust(300, "\x01"), "\x01" * 100
    return {"title": title, "text": text, "kind": kind, "tags": names, "keys": names, "metadata": metadata}


async def test_the_largest_document_that_is_taken_survives(client: httpx2.AsyncClient) -> None:
    """Given alone, or as a line."""
    await client.put(W, json={"title": "W"})
    assert (await client.put(f"{W}/lore/alone", json=_largest())).status_code == 201
    line = orjson.dumps({"id": "line", **_largest()})
    started = await client.post(f"{W}/ingests", content=line, headers={"content-type": "application/x-ndjson"})
    assert (await ended(client, started.json()["job_id"]))["result"]["created"] == 1
    file = await _exported(client)
    await client.delete(W)

    assert (await _imported(client, file))["status"] == "succeeded"
    assert await _exported(client) == file


@pytest.mark.parametrize(("metadata", "fault"), [({"": "x" * METADATA_BYTES}, "4194304"), ({"a": "b\0"}, "NUL")])
async def test_metadata_that_could_not_come_back_is_not_taken(
    client: httpx2.AsyncClient, metadata: dict[str, Any], fault: str
) -> None:
    """Nor as a line, which costs no other line its place."""
    await client.put(W, json={"title": "W"})
    document = GATE | {"metadata": metadata}
    lines = b"\n".join(orjson.dumps(each) for each in ({"id": "bad", **document}, {"id": "good", **GATE}))

    answer = await client.put(f"{W}/lore/gate", json=document)
    started = await client.post(f"{W}/ingests", content=lines, headers={"content-type": "application/x-ndjson"})
    job = await ended(client, started.json()["job_id"])

    assert answer.status_code == 422
    assert job["result"]["created"] == 1
    for (wrong,) in (answer.json()["errors"], job["errors"]):
        assert (wrong["field"], fault in wrong["message"]) == ("/metadata", True)


async def test_every_text_that_a_writer_can_give_survives(client: httpx2.AsyncClient) -> None:
    """The longest document, every control character, what looks like NUL, and metadata as deep as it goes."""
    deep: Any = "floor"
    for _ in range(250):
        deep = [deep]
    controls = "".join(map(chr, range(1, 32)))
    await client.put(W, json={"title": "W"})
    texts = {"long": "\x1f" + "\x01" * 499_998 + "x", "odd": f"\\u0000 {controls} \u2028\ufeff \U0001f409"}
    for name, text in texts.items():
        body = GATE | {"text": text, "metadata": {"deep": deep, "n": 2**63, "x": 1e300}}
        assert (await client.put(f"{W}/lore/{name}", json=body)).status_code == 201
    file = await _exported(client)
    await client.delete(W)

    assert (await _imported(client, file))["status"] == "succeeded"
    assert await _exported(client) == file
    assert orjson.loads((await client.get(f"{W}/lore/odd")).content)["text"] == texts["odd"]
