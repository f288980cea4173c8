"""API keys over HTTP: made once, shown once, kept as a digest."""

from typing import Any

import httpx2
import pytest

from llmops_api.settings import Settings

GAME = {"name": "game server", "scopes": ["game"], "world": "emberfall"}
RETRIED = {"idempotency-key": "make-1"}


async def _made(
    client: httpx2.AsyncClient, body: dict[str, Any] = GAME, headers: dict[str, str] | None = None
) -> httpx2.Response:
    answer = await client.post("/v1/keys", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer


def _bearer(made: httpx2.Response) -> dict[str, str]:
    return {"authorization": f"Bearer {made.json()['key']}"}


def _stored(settings: Settings) -> bytes:
    """Every byte of every file of the service."""
    return b"".join(file.read_bytes() for file in settings.data_dir.rglob("*") if file.is_file())


async def test_a_retried_creation_gives_the_same_key_and_makes_one(client: httpx2.AsyncClient) -> None:
    """The key that both answers show works."""
    first, again = await _made(client, headers=RETRIED), await _made(client, headers=RETRIED)
    listed = (await client.get("/v1/keys")).json()["items"]

    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert [each["key_id"] for each in listed] == [first.json()["key_id"]]
    assert (await client.get("/v1/models", headers=_bearer(again))).status_code == 200


@pytest.mark.parametrize("headers", [{}, RETRIED], ids=["once", "retried"])
async def test_no_file_of_the_service_holds_a_keys_secret(
    client: httpx2.AsyncClient, settings: Settings, headers: dict[str, str]
) -> None:
    """Neither the key's record nor the receipt of the request that made it."""
    made = (await _made(client, headers=headers)).json()
    await _made(client, headers=headers)
    stored = _stored(settings)

    assert made["key_id"].encode() in stored
    assert made["key"].rpartition("_")[2].encode() not in stored


async def test_the_same_key_with_another_body_is_a_mismatch(client: httpx2.AsyncClient) -> None:
    await _made(client, headers=RETRIED)
    other = await client.post("/v1/keys", json=GAME | {"scopes": ["admin"]}, headers=RETRIED)

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await client.get("/v1/keys")).json()["items"]) == 1


async def test_another_admin_with_the_same_idempotency_key_makes_another_key(client: httpx2.AsyncClient) -> None:
    admin = await _made(client, {"name": "second admin", "scopes": ["admin"]})
    ours, theirs = await _made(client, headers=RETRIED), await _made(client, headers=RETRIED | _bearer(admin))

    assert ours.json()["key"] != theirs.json()["key"]
    assert "idempotent-replayed" not in theirs.headers


async def test_without_an_idempotency_key_every_request_makes_a_key(client: httpx2.AsyncClient) -> None:
    first, second = await _made(client), await _made(client)

    assert first.json()["key"] != second.json()["key"]
    assert first.json()["key_id"] != second.json()["key_id"]


async def test_keys_are_listed_in_pages_without_their_secrets(client: httpx2.AsyncClient) -> None:
    made = [await _made(client, GAME | {"name": name}) for name in ("a", "b")]
    first = await client.get("/v1/keys", params={"limit": 1})
    second = await client.get("/v1/keys", params={"cursor": first.json()["next_cursor"]})
    items = first.json()["items"] + second.json()["items"]

    assert second.json()["next_cursor"] is None
    assert [each["key_id"] for each in items] == sorted(each.json()["key_id"] for each in made)
    assert {name: items[0][name] for name in ("scopes", "world", "expires_at", "revoked_at")} == {
        "scopes": ["game"],
        "world": "emberfall",
        "expires_at": None,
        "revoked_at": None,
    }
    for each in made:
        assert each.json()["key"] not in first.text + second.text


async def test_a_revoked_key_opens_nothing_and_stays_in_the_list(client: httpx2.AsyncClient) -> None:
    made = await _made(client)
    before = await client.get("/v1/models", headers=_bearer(made))
    revoked = await client.delete(f"/v1/keys/{made.json()['key_id']}")
    after = await client.get("/v1/models", headers=_bearer(made))
    (listed,) = (await client.get("/v1/keys")).json()["items"]

    assert [before.status_code, revoked.status_code, after.status_code] == [200, 204, 401]
    assert listed["revoked_at"] is not None
    assert (await client.delete("/v1/keys/key_none")).status_code == 404


async def test_an_expired_key_opens_nothing(client: httpx2.AsyncClient) -> None:
    made = await _made(client, GAME | {"expires_at": "2020-01-01T00:00:00Z"})

    assert (await client.get("/v1/models", headers=_bearer(made))).status_code == 401


async def test_only_an_admin_may_handle_keys(client: httpx2.AsyncClient) -> None:
    """A key of every other scope may not make, list or revoke any."""
    made = await _made(client, {"name": "n", "scopes": ["game", "writer", "moderator"]})
    bearer = _bearer(made)
    answers = [
        await client.post("/v1/keys", json=GAME, headers=bearer),
        await client.get("/v1/keys", headers=bearer),
        await client.delete(f"/v1/keys/{made.json()['key_id']}", headers=bearer),
    ]

    assert [each.status_code for each in answers] == [403, 403, 403]


async def test_an_admin_of_one_world_handles_the_keys_of_that_world_alone(client: httpx2.AsyncClient) -> None:
    """Nobody gives away, sees or takes more than they have."""
    bearer = _bearer(await _made(client, {"name": "n", "scopes": ["admin"], "world": "emberfall"}))
    foreign = await _made(client, {"name": "n", "scopes": ["admin"]})
    unnamed = await client.post("/v1/keys", json={"name": "n", "scopes": ["admin"]}, headers=bearer)
    elsewhere = await client.post("/v1/keys", json=GAME | {"world": "srd"}, headers=bearer)
    listed = await client.get("/v1/keys", params={"limit": 1}, headers=bearer)
    revoked = [await client.delete(f"/v1/keys/{each.json()['key_id']}", headers=bearer) for each in (foreign, unnamed)]

    assert (unnamed.json()["world"], elsewhere.status_code) == ("emberfall", 403)
    assert {each["world"] for each in listed.json()["items"]} == {"emberfall"}
    assert [each.status_code for each in revoked] == [404, 204]


async def test_a_wrong_key_is_refused_with_its_field_named(client: httpx2.AsyncClient) -> None:
    for change, field in (
        ({"name": "\u200b"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"world": "../w"}, "/world"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
        ({"secret": "mine"}, "/secret"),
    ):
        answer = await client.post("/v1/keys", json=GAME | change)

        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == [field]
