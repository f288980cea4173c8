"""Errors as callers meet them."""

import asyncio

from httpx2 import AsyncClient


async def test_a_request_without_a_key_is_told_how_to_send_one(client: AsyncClient) -> None:
    """No key: 401, a problem document, and the scheme to use."""
    answer = await client.get("/v1/worlds", headers={"authorization": ""})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


async def test_a_wrong_field_is_named_with_its_fix(client: AsyncClient) -> None:
    """A misspelt field is named by its JSON pointer, and its value is not repeated."""
    answer = await client.put("/v1/worlds/w", json={"title": "W", "locael": "private words"})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "/locael",
            "message": "Extra inputs are not permitted",
            "hint": "Remove it, or look for a misspelt name.",
        }
    ]
    assert "private words" not in answer.text


async def test_a_body_that_is_not_json_is_a_bad_request(client: AsyncClient) -> None:
    """Broken JSON says where it broke."""
    answer = await client.put("/v1/worlds/w", content=b'{"title": ', headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_body"


async def test_a_body_nested_too_deeply_is_a_bad_request(client: AsyncClient) -> None:
    """A hundred thousand brackets are refused, not a crash."""
    deep = b"[" * 100_000 + b"]" * 100_000
    answer = await client.put("/v1/worlds/w", content=deep, headers={"content-type": "application/json"})

    assert answer.status_code == 400


async def test_half_a_surrogate_pair_is_refused(client: AsyncClient) -> None:
    """Text that no store can keep is bad input with its field."""
    content = b'{"title": "\\ud800"}'
    answer = await client.put("/v1/worlds/w", content=content, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "/title"


async def test_an_unknown_path_is_a_problem_document(client: AsyncClient) -> None:
    """Even where there is no route."""
    answer = await client.get("/v1/nothing")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_trace_and_the_request_id_go_through(client: AsyncClient) -> None:
    """A caller finds its own ids in the answer."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-request-id": "match-7"}
    answer = await client.get("/v1/worlds/none", headers=headers)

    assert answer.headers["x-request-id"] == "match-7"
    assert answer.json()["trace_id"] == trace


async def test_another_worlds_things_cannot_be_probed(client: AsyncClient) -> None:
    """A key that is bound to one world gets the same 404 for a world that exists and one that does not."""
    await client.put("/v1/worlds/ours", json={"title": "Ours"})
    await client.put("/v1/worlds/theirs", json={"title": "Theirs"})
    made = await client.post("/v1/keys", json={"name": "ours", "scopes": ["writer"], "world": "ours"})
    bound = {"authorization": f"Bearer {made.json()['key']}"}

    seen = [await client.get(f"/v1/worlds/{world}", headers=bound) for world in ("ours", "theirs", "none")]

    assert [answer.status_code for answer in seen] == [200, 404, 404]
    assert seen[1].json()["detail"] == seen[2].json()["detail"]
    assert [item["world"] for item in (await client.get("/v1/worlds", headers=bound)).json()["items"]] == ["ours"]


async def test_a_value_of_no_allowed_kind_is_one_wrong_field(client: AsyncClient) -> None:
    """A union's branches are ours: the pointer names the place in the body, and nothing of Python's."""
    await client.put("/v1/worlds/w", json={"title": "W"})
    await client.put("/v1/worlds/w/characters/guard", json={"name": "Joss"})
    line = {"player_id": "p", "text": "Hello", "facts": {"quest": {"main": 1}}}
    answer = await client.post("/v1/worlds/w/characters/guard/dialogue", json=line)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["/facts/quest"]
    assert "function" not in answer.text


async def test_a_validators_own_words_are_the_message(client: AsyncClient) -> None:
    """Without the class of the exception before them."""
    answer = await client.post(
        "/v1/text/generate", json={"prompt": "a", "messages": [{"role": "user", "content": "b"}]}
    )

    assert answer.json()["errors"][0]["message"] == "send either 'messages' or 'prompt'"


async def test_the_pages_assets_refuse_a_post_in_a_sentence(client: AsyncClient) -> None:
    """They are no route of ours, and the refusal names the methods all the same."""
    answer = await client.post("/static-offline-docs/swagger-ui.css")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


async def test_of_many_first_writers_of_a_world_none_fails(client: AsyncClient) -> None:
    """Without If-Match whoever comes last counts, also when all come at once."""
    puts = [client.put("/v1/worlds/w", json={"title": f"W {number}"}) for number in range(6)]
    answers = await asyncio.gather(*puts)

    assert {answer.status_code for answer in answers} <= {200, 201}


async def test_a_world_cannot_name_a_model_that_is_not_open(client: AsyncClient) -> None:
    """The field is the world's own."""
    answer = await client.put("/v1/worlds/w", json={"title": "W", "dialogue": {"model": "nope"}})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "/dialogue/model"


async def test_a_query_parameter_that_is_not_known_is_named_with_those_that_are(client: AsyncClient) -> None:
    """It is most often a misspelt one, and would otherwise be passed over."""
    await client.put("/v1/worlds/w", json={"title": "W"})
    answer = await client.get("/v1/worlds/w/lore?tags=common&limit=5")
    none_here = await client.get("/v1/worlds/w?verbose=1")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tags")
    assert "tag" in answer.json()["errors"][0]["hint"]
    assert none_here.status_code == 422
    assert (await client.get("/v1/worlds/w/lore?tag=common&limit=5")).status_code == 200
