"""Bulk ingest: nothing good is lost to something bad, and every fault is named with its line."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import httpx2
import orjson
import pytest
from fastapi import FastAPI

from llmops_api.app import create_app
from llmops_api.features.rag.upload import MAX_BAD
from llmops_api.settings import Settings
from tests.support import ended, serving

NDJSON = {"content-type": "application/x-ndjson"}


def _line(name: str, **more: Any) -> bytes:
    return orjson.dumps({"id": name, "title": name.title(), "text": f"The story of {name}.", **more})


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The service with an empty world `w`."""
    await client.put("/v1/worlds/w", json={"title": "W"})
    return client


async def _ingested(client: httpx2.AsyncClient, body: bytes, **headers: str) -> dict[str, Any]:
    started = await client.post("/v1/worlds/w/ingests", content=body, headers=NDJSON | headers)
    assert started.status_code == 202, started.text
    return await ended(client, started.json()["job_id"])


async def _documents(client: httpx2.AsyncClient) -> list[str]:
    items = (await client.get("/v1/worlds/w/lore", params={"limit": 500})).json()["items"]
    return [item["document_id"] for item in items]


async def test_many_documents_become_a_job_with_a_result(world: httpx2.AsyncClient) -> None:
    """Two hundred lines: all there, progress complete, a second run changes none."""
    body = b"\n".join(_line(f"doc-{number:03}") for number in range(200))

    first = await _ingested(world, body)
    second = await _ingested(world, body)

    assert first["status"] == "succeeded"
    assert first["progress"] == {"done": 200, "total": 200}
    assert first["result"] == {"documents": 200, "created": 200, "updated": 0, "unchanged": 0}
    assert second["result"] == {"documents": 200, "created": 0, "updated": 0, "unchanged": 200}
    assert len(await _documents(world)) == 200


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        pytest.param(b'{"id": "x", "title": "X"', "", id="not JSON"),
        pytest.param(b'{"id": "x", "title": "\xff", "text": "t"}', "", id="not UTF-8"),
        pytest.param(b'{"id": "x", "title": "X", "text": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "", id="too deep"),
        pytest.param(b'{"id": "x", "title": "X", "text": "' + b"a" * 10_000_000 + b'"}', "", id="10 MB"),
        pytest.param(b'["not", "an", "object"]', "", id="a list"),
        pytest.param(b'{"id": "x", "title": "X", "text": ""}', "/text", id="empty text"),
        pytest.param('{"id": "x", "title": "\u200b\u200d", "text": "t"}'.encode(), "/title", id="zero-width title"),
        pytest.param(b'{"id": "x", "title": "X", "text": "a\\u0000b"}', "/text", id="NUL"),
        pytest.param(b'{"id": "x", "title": "\\ud800", "text": "t"}', "", id="half a surrogate pair"),
        pytest.param(b'{"id": "../x", "title": "X", "text": "t"}', "/id", id="id with an empty step"),
        pytest.param(b'{"title": "X", "text": "t"}', "/id", id="no id"),
    ],
)
async def test_a_bad_line_is_named_and_loses_no_other(world: httpx2.AsyncClient, bad: bytes, field: str) -> None:
    """Line 2 of 3 is bad: two documents are in, the fault has its number and its field."""
    job = await _ingested(world, b"\n".join([_line("first"), bad, _line("third")]))

    assert job["status"] == "succeeded"
    assert job["error_count"] == 1
    assert (job["errors"][0]["line"], job["errors"][0]["field"]) == (2, field)
    assert await _documents(world) == ["first", "third"]


async def test_fields_of_other_tools_are_kept_as_metadata(world: httpx2.AsyncClient) -> None:
    """An unknown field of a line is neither an error nor lost."""
    await _ingested(world, _line("stone", meta={"setting": "cave"}))

    document = (await world.get("/v1/worlds/w/lore/stone")).json()

    assert document["metadata"] == {"meta": {"setting": "cave"}}


@pytest.mark.parametrize("between", [0, 200])
async def test_of_two_lines_with_one_id_the_later_counts_and_is_named(world: httpx2.AsyncClient, between: int) -> None:
    """However far apart; a second run still changes nothing."""
    others = [_line(f"doc-{number:03}") for number in range(between)]
    body = b"\n".join([_line("stone", text="Old."), *others, _line("stone", text="New.")])

    first, second = await _ingested(world, body), await _ingested(world, body)

    assert (await world.get("/v1/worlds/w/lore/stone")).json()["text"] == "New."
    repeated = {"document_id": "stone", "message": "came before in this upload; this one counts"}
    assert first["errors"] == [{"line": between + 2, **repeated}]
    assert first["progress"] == {"done": between + 1, "total": between + 1}
    assert first["result"] == {"documents": between + 1, "created": between + 1, "updated": 0, "unchanged": 0}
    assert second["result"] == {"documents": between + 1, "created": 0, "updated": 0, "unchanged": between + 1}


async def test_one_id_many_times_is_one_document(world: httpx2.AsyncClient) -> None:
    """However many there are, nothing is refused for it; all are counted and the first hundred named."""
    job = await _ingested(world, b"\n".join([_line("stone")] * (MAX_BAD + 2)))

    assert (job["error_count"], len(job["errors"])) == (MAX_BAD + 1, 100)
    assert job["result"]["documents"] == 1


async def test_files_of_a_form_are_documents(world: httpx2.AsyncClient) -> None:
    """A heading gives the title of a `.md`, the name that of a `.txt`; another kind of file is an error."""
    files = [
        ("files", ("the-well.md", b"# The Well\n\nIt is deep.", "text/markdown")),
        ("files", ("rope.txt", b"A rope of nine ells.", "text/plain")),
        ("files", ("more.jsonl", _line("bucket"), "application/jsonl")),
        ("files", ("map.png", b"\x89PNG", "image/png")),
    ]
    started = await world.post("/v1/worlds/w/ingests", files=files)
    job = await ended(world, started.json()["job_id"])

    assert started.json()["accepted"] == 3
    assert await _documents(world) == ["bucket", "rope", "the-well"]
    assert (await world.get("/v1/worlds/w/lore/the-well")).json()["text"] == "It is deep."
    assert (await world.get("/v1/worlds/w/lore/the-well")).json()["title"] == "The Well"
    assert job["errors"] == [{"file": "map.png", "message": "is none of .jsonl, .md, .txt"}]


async def test_a_field_of_a_form_that_is_no_file_is_refused(world: httpx2.AsyncClient) -> None:
    """It would have been lost without a word."""
    files = [("files", ("rope.txt", b"A rope of nine ells.", "text/plain"))]
    answer = await world.post("/v1/worlds/w/ingests", files=files, data={"locale": "de"})

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["/locale"]
    assert await _documents(world) == []


async def test_faults_of_a_form_are_named_with_their_file(world: httpx2.AsyncClient) -> None:
    """A bad line, a wrong field of a text, and a second file that would have the id of the first."""
    files = [
        ("files", ("more.jsonl", _line("bucket") + b"\nnot JSON", "application/jsonl")),
        ("files", ("index.md", b"One.", "text/markdown")),
        ("files", ("index.md", b"Another.", "text/markdown")),
        ("files", ("empty.txt", b"", "text/plain")),
    ]
    started = await world.post("/v1/worlds/w/ingests", files=files)
    job = await ended(world, started.json()["job_id"])

    assert [{**error, "message": error["message"].split()[0]} for error in job["errors"]] == [
        {"file": "more.jsonl", "line": 2, "field": "", "message": "is"},
        {"file": "index.md", "document_id": "index", "message": "came"},
        {"file": "empty.txt", "field": "/text", "message": "has"},
    ]
    assert job["result"]["documents"] == 2


async def test_a_retried_upload_starts_one_job(world: httpx2.AsyncClient) -> None:
    """The same key and body: the same job; another body under that key: 422."""
    headers = NDJSON | {"idempotency-key": "upload-1"}
    first, second = [await world.post("/v1/worlds/w/ingests", content=_line("a"), headers=headers) for _ in range(2)]
    other = await world.post("/v1/worlds/w/ingests", content=_line("b"), headers=headers)

    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_mismatch"


async def test_another_name_of_the_same_file_is_another_upload(world: httpx2.AsyncClient) -> None:
    """The name is the document's id, so under one key it is no retry."""
    answers = [
        await world.post(
            "/v1/worlds/w/ingests", files=[("files", (name, b"A rope."))], headers={"idempotency-key": "upload-1"}
        )
        for name in ("rope.txt", "cord.txt")
    ]

    assert [answer.status_code for answer in answers] == [202, 422]


GOOD = b"\n".join(_line(f"doc-{number:03}") for number in range(200)) + b"\n"
"""More than is kept back before it is written."""


def _left(settings: Settings) -> int:
    """How many events of all uploads are in the state store."""
    with closing(sqlite3.connect(settings.data_dir / "state.sqlite")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        assert isinstance(count, int)
        return count


async def test_an_upload_leaves_nothing_behind(world: httpx2.AsyncClient, settings: Settings) -> None:
    """Worked through; sent again under its key; refused in its middle for its faults."""
    headers = NDJSON | {"idempotency-key": "upload-1"}
    first, again = [await world.post("/v1/worlds/w/ingests", content=GOOD, headers=headers) for _ in range(2)]
    await ended(world, first.json()["job_id"])
    bad = await world.post("/v1/worlds/w/ingests", content=GOOD + b"bad\n" * (MAX_BAD + 1), headers=NDJSON)

    assert [first.status_code, again.status_code, bad.status_code] == [202, 202, 422]
    assert _left(settings) == 0


async def test_an_upload_that_is_too_large_leaves_nothing_behind(settings: Settings) -> None:
    """What was read before the limit was reached is erased."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield GOOD

    small = settings.model_copy(update={"max_body_bytes": 2 * len(GOOD)})
    async with serving(create_app(small)) as client:
        await client.put("/v1/worlds/w", json={"title": "W"})
        answer = await client.post("/v1/worlds/w/ingests", content=pieces(), headers=NDJSON)

        assert answer.status_code == 413
        assert _left(settings) == 0


async def test_an_upload_that_breaks_off_leaves_nothing_behind(
    app: FastAPI, world: httpx2.AsyncClient, settings: Settings
) -> None:
    """The client goes away after a first piece."""

    async def cut_off(scope: Any, receive: Any, send: Any) -> None:
        pieces = iter([{"type": "http.request", "body": GOOD, "more_body": True}, {"type": "http.disconnect"}])

        async def broken() -> Any:
            return next(pieces)

        await app(scope, broken, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(cut_off), headers=world.headers) as client:
        answer = await client.post("http://service/v1/worlds/w/ingests", content=GOOD, headers=NDJSON)

    assert answer.status_code == 499
    assert _left(settings) == 0


async def test_an_upload_without_documents_is_refused(world: httpx2.AsyncClient) -> None:
    """Nothing to do is said at once, not by a job."""
    empty = await world.post("/v1/worlds/w/ingests", content=b"\n\n", headers=NDJSON)
    wrong = await world.post("/v1/worlds/w/ingests", content=b"x", headers={"content-type": "image/png"})

    assert [empty.status_code, wrong.status_code] == [422, 422]
    assert wrong.json()["errors"][0]["field"] == "Content-Type"


async def test_a_job_that_has_ended_stays_as_it_was_when_cancelled(world: httpx2.AsyncClient) -> None:
    """And a job that nobody started is 404."""
    job = await _ingested(world, _line("a"))
    cancelled = await world.delete(f"/v1/jobs/{job['job_id']}")

    assert cancelled.json()["status"] == "succeeded"
    assert (await world.get("/v1/jobs/job_none")).status_code == 404
