"""A world moves between deployments in a file: all of it, once, whatever is killed on the way."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmops_api.core.world_files import Entry, Kind, Seal, header_of
from tests.support import a_turn
from tests.system.service import ADMIN_KEY, Service
from tests.system.test_cli import Shell

E = "/v1/worlds/emberfall"
QUESTION = "When does the Ember Gate close?"
TALK = f"{E}/characters/guard/dialogue"
DOCUMENTS, TURNS = 600, 2000
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _shell(service: Service) -> Shell:
    return Shell(service.data_dir, ADMIN_KEY=ADMIN_KEY)


def _played(service: Service) -> None:
    """The sample world after somebody has written to it and somebody has played in it."""
    client = service.client
    for text in ("It closes at ten now.", "It closes at nine, as ever."):
        client.put(f"{E}/lore/place/new", json={"title": "News", "text": text}).raise_for_status()
    client.delete(f"{E}/lore/item/guest-lamp").raise_for_status()
    sheet = client.get(f"{E}/characters/guard").json()
    kept = {name: sheet[name] for name in ("name", "description", "knowledge", "fallback_lines", "unknown_lines")}
    for mood in ("cross", "tired"):
        client.put(f"{E}/characters/guard", json=kept | {"personality": mood}).raise_for_status()
    line = {"player_id": "p1", "save_id": "s1", "text": QUESTION}
    for text in (QUESTION, "Who painted the Mona Lisa?", "Good morning!"):
        said = client.post(TALK, json=line | {"text": text}).raise_for_status().json()
        line["conversation_id"] = said["conversation_id"]
    client.get(f"{E}/conversations/{line['conversation_id']}").raise_for_status()


def _evidence(service: Service) -> list[Any]:
    """What a game and a writer see of it."""
    conversations = service.client.get(f"{E}/conversations", params={"player_id": "p1"}).json()
    talk = conversations["items"][0]["conversation_id"]
    paths = ("", "/lore", "/characters", "/characters/guard/versions", "/characters/guard?version=2")
    return [conversations, *(service.client.get(f"{E}{path}").json() for path in (*paths, f"/conversations/{talk}"))]


def test_a_world_goes_from_a_laptop_to_where_it_is_played_and_back(tmp_path: Path, settings: dict[str, str]) -> None:
    """Between two embedders: everybody sees the same, and the files of all three are equal."""
    files = [tmp_path / name for name in ("laptop.jsonl.gz", "played.jsonl", "back.jsonl")]
    with Service(tmp_path / "laptop", SEED="true", EMBEDDER="none") as laptop:
        _played(laptop)
        seen = _evidence(laptop)
        _shell(laptop).run("export", "emberfall", "--output", str(files[0]))
    with Service(tmp_path / "played", **settings) as played:
        told = _shell(played).json("import", str(files[0]))
        assert told["counts"]["turn"] == 3
        assert _evidence(played) == seen
        search = {"query": QUESTION, "mode": "vector", "limit": 1}
        (hit,) = played.client.post(f"{E}/lore/search", json=search).json()["hits"]
        assert hit["document_id"] == "place/ember-gate"
        _shell(played).run("export", "emberfall", "--output", str(files[1]))
    with Service(tmp_path / "back", EMBEDDER="none") as back:
        _shell(back).run("import", str(files[1]))
        assert _evidence(back) == seen
        _shell(back).run("export", "emberfall", "--output", str(files[2]))

    assert gzip.decompress(files[0].read_bytes()) == files[1].read_bytes() == files[2].read_bytes()


def _entries() -> Iterator[Entry]:
    """A large world."""
    yield Entry(Kind.WORLD, "w", 3, AT, {"title": "Towers"})
    for number in range(DOCUMENTS):
        text = f"Tower {number} has {number} bells, and a keeper who knows each of them by its name."
        value = {"title": f"Tower {number}", "text": text, "tags": [], "keys": []}
        yield Entry(Kind.DOCUMENT, f"tower-{number:05}", 1 + number % 3, AT, None if number % 10 == 9 else value)
    fields = {"character": "guard", "player_id": "p", "save_id": "s", "created_at": AT.isoformat()}
    for conversation in ("conv_1", "conv_2"):
        yield Entry(Kind.CONVERSATION, conversation, 1, AT, fields)
        for number in range(1, TURNS // 2 + 1):
            yield Entry(Kind.TURN, conversation, number, AT + timedelta(microseconds=number), a_turn(number).fields)


@pytest.fixture(scope="module")
def file() -> bytes:
    seal, lines = Seal(), [header_of("w")]
    seal.add(lines[0])
    for entry in _entries():
        lines.append(entry.line)
        seal.add(entry.line, entry.kind)
    return b"\n".join([*lines, seal.line, b""])


@pytest.mark.parametrize("share", [0, 0.3, 0.85], ids=["at once", "among the records", "while the lore is embedded"])
def test_an_import_that_is_killed_goes_on_and_brings_everything_once(
    share: float, file: bytes, tmp_path: Path, settings: dict[str, str]
) -> None:
    """`kill -9`: the world that appears is that of the file."""
    with Service(tmp_path / "data", **settings) as service:
        started = service.client.post("/v1/worlds/w/import", content=file).raise_for_status().json()
        job = service.client.get(f"/v1/jobs/{started['job_id']}").json()
        while job["progress"]["done"] < share * job["progress"]["total"]:
            job = service.client.get(f"/v1/jobs/{started['job_id']}").json()
        service.kill()
        assert job["status"] in {"queued", "running"}
        service.start()
        job = service.job(started["job_id"])

        assert (job["status"], job["result"]["turn"]) == ("succeeded", TURNS)
        assert service.client.get("/v1/worlds/w/export").content == file
        found = service.client.post("/v1/worlds/w/lore/search", json={"query": "Tower 567"}).json()["hits"]
        assert found[0]["title"] == "Tower 567"
        talks = service.client.get("/v1/worlds/w/conversations", params={"save_id": "s"}).json()["items"]
        assert [each["turn_count"] for each in talks] == [TURNS // 2] * 2


def test_a_file_on_the_way_through_a_pipe(tmp_path: Path, settings: dict[str, str]) -> None:
    """`export | import`, under another name, on the data folder alone."""
    shell = Shell(tmp_path / "data", **settings, EMBEDDER="none", SEED="true")
    exported = shell.run("export", "emberfall", "--output", "-")
    told = json.loads(shell.run("import", "-", "--world", "copy", "--json", stdin=exported))

    assert told["counts"]["lore-document"] == 64
    assert shell.json("search", QUESTION, "--world", "copy")["in_lore"]
    assert shell.complaint("import", "-", "--world", "copy", code=2)
