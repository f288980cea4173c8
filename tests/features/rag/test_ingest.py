"""Bulk ingest: nothing good is lost to something bad, and every fault is named with its line."""

from typing import Any

import httpx2
import orjson
import pytest

from tests.support import ended

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


async def test_of_two_lines_with_one_id_the_later_counts(world: httpx2.AsyncClient) -> None:
    """As if they had been sent one after the other."""
    await _ingested(world, b"\n".join([_line("stone", text="Old."), _line("stone", text="New.")]))

    assert (await world.get("/v1/worlds/w/lore/stone")).json()["text"] == "New."


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

    assert await _documents(world) == ["bucket", "rope", "the-well"]
    assert (await world.get("/v1/worlds/w/lore/the-well")).json()["title"] == "The Well"
    assert [error["field"] for error in job["errors"]] == ["map.png"]


async def test_a_retried_upload_starts_one_job(world: httpx2.AsyncClient) -> None:
    """The same key and body: the same job; another body under that key: 422."""
    headers = NDJSON | {"idempotency-key": "upload-1"}
    first, second = [await world.post("/v1/worlds/w/ingests", content=_line("a"), headers=headers) for _ in range(2)]
    other = await world.post("/v1/worlds/w/ingests", content=_line("b"), headers=headers)

    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_mismatch"


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
