"""Text over HTTP: whole and streamed, checked against a schema, with the model that answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from llmops_api.adapters.scripted.model import ScriptedChatModel
from llmops_api.app import create_app
from llmops_api.bootstrap import open_backends
from llmops_api.errors import ProviderRejected, ProviderUnavailable
from llmops_api.settings import Price, Settings
from tests.support import IdleRunner, events_of, serving

TAVERN = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "beds": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}
AS_TAVERN = {"prompt": "Name a tavern.", "response_format": {"type": "json_schema", "schema": TAVERN}}


@pytest.fixture
def scripted() -> ScriptedChatModel:
    return ScriptedChatModel()


@pytest.fixture
async def client(settings: Settings, scripted: ScriptedChatModel) -> AsyncIterator[httpx2.AsyncClient]:
    """The service whose models are a scripted one and one that a test can make fail, without wrappers around them."""
    aliases: dict[str, str | list[str]] = {"default": "scripted:demo", "careful": ["far:demo", "scripted:demo"]}
    prices = {"scripted": Price(input=1_000_000, output=2_000_000, currency="EUR")}
    settings = settings.model_copy(update={"model_aliases": aliases, "model_prices": prices})
    far = ScriptedChatModel()
    far.queue(*[ProviderUnavailable("away", provider="far")] * 20)
    async with open_backends(settings.model_copy(update={"model_aliases": {"default": "scripted:demo"}})) as backends:
        models = {"scripted": scripted, "far": far}
        async with serving(create_app(settings, replace(backends, chat_models=models, jobs=IdleRunner()))) as client:
            yield client


async def _generated(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
    return await client.post("/v1/text/generate", json=body)


async def _outcomes(client: httpx2.AsyncClient, scripted: ScriptedChatModel, body: Any, reply: Any) -> list[Any]:
    """What the same reply of the model becomes, whole and streamed: an answer or a problem."""
    scripted.queue(reply, reply)
    whole = await _generated(client, body)
    streamed = await _generated(client, body | {"stream": True})
    return [whole.json(), events_of(streamed.text)[-1][1]]


async def test_what_was_asked_is_what_the_model_gets(client: httpx2.AsyncClient, scripted: ScriptedChatModel) -> None:
    """The system's words first, the messages in order, every parameter, the schema with its name."""
    body = {
        "model": "scripted:demo",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "A cart?"}, {"role": "assistant", "content": "Two."}],
        "parameters": {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop_sequences": ["!"], "seed": 3},
        "response_format": {"type": "json_schema", "schema": {}, "name": "cart"},
    }
    scripted.queue("{}")
    assert (await _generated(client, body)).status_code == 200
    (request,) = scripted.requests
    sent, parameters, wanted = request.messages, request.parameters, request.response_format

    assert [(each.role, each.text) for each in sent] == [
        ("system", "Be brief."),
        ("user", "A cart?"),
        ("assistant", "Two."),
    ]
    assert (parameters.temperature, parameters.top_p, parameters.max_tokens) == (0.5, 0.9, 7)
    assert (parameters.stop_sequences, parameters.seed) == (("!",), 3)
    assert wanted is not None
    assert (dict(wanted.schema), wanted.name) == ({}, "cart")
    assert request.deadline is None


async def test_streamed_and_whole_are_the_same_answer(client: httpx2.AsyncClient, scripted: ScriptedChatModel) -> None:
    """Deltas that add up to the text, the usage, and `done`; with the price of every token."""
    scripted.queue("Two boots, no geese.", "Two boots, no geese.")
    whole = (await _generated(client, {"prompt": "A cart?"})).json()
    events = events_of((await _generated(client, {"prompt": "A cart?", "stream": True})).text)
    names, done = [name for name, _ in events], events[-1][1]
    own = ("id", "timing")

    assert names == ["delta"] * (len(events) - 2) + ["usage", "done"]
    assert "".join(data["text"] for name, data in events if name == "delta") == "Two boots, no geese."
    assert {key: done[key] for key in done if key not in own} == {key: whole[key] for key in whole if key not in own}
    assert (
        events[-2][1]
        == whole["usage"]
        == {
            "input_tokens": 2,
            "output_tokens": 4,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
        }
    )
    assert (whole["text"], whole["parsed"], whole["finish_reason"]) == ("Two boots, no geese.", None, "stop")
    assert whole["model"] == {"alias": "default", "provider": "scripted", "name": "demo"}
    assert whole["cost"] == {"amount": 10.0, "currency": "EUR"}
    assert (whole["timing"]["first_token_ms"], done["timing"]["first_token_ms"] is None) == (None, False)
    assert whole["id"].startswith("text_")
    assert done["id"] != whole["id"]


async def test_json_that_fits_the_schema_is_parsed(client: httpx2.AsyncClient, scripted: ScriptedChatModel) -> None:
    outcomes = await _outcomes(client, scripted, AS_TAVERN, '{"name": "The Wick", "beds": 4}')

    assert [each["parsed"] for each in outcomes] == [{"name": "The Wick", "beds": 4}] * 2


GARBLED = [
    ('{"name": 7}', "does not fit"),
    ('{"beds": 4}', "does not fit"),
    ('{"name": "The Wick", "cellar": true}', "does not fit"),
    ('["The Wick"]', "does not fit"),
    ("The Wick, of course.", "is not JSON"),
    ('{"name": "The W', "is not JSON"),
]


async def test_an_answer_that_does_not_fit_the_schema_is_a_problem(
    client: httpx2.AsyncClient, scripted: ScriptedChatModel
) -> None:
    """Whole and streamed, and the problem does not repeat what the model said."""
    for reply, why in GARBLED:
        for problem in await _outcomes(client, scripted, AS_TAVERN, reply):
            assert (problem["status"], problem["code"], problem["provider"]) == (502, "provider_garbled", "scripted")
            assert why in problem["detail"]
            assert "Wick" not in problem["detail"]


def _a_tower(floors: int) -> dict[str, Any]:
    """A schema that means twice as much with every floor."""
    doubled = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(floors)}
    return {"$defs": {**doubled, f"a{floors}": {"type": "string"}}, "patternProperties": {"": {"$ref": "#/$defs/a0"}}}


async def test_a_schema_with_references_is_kept(client: httpx2.AsyncClient, scripted: ScriptedChatModel) -> None:
    body = {"prompt": "?", "response_format": {"type": "json_schema", "schema": _a_tower(4)}}
    for reply, status in (('{"name": "Wick"}', 200), ('{"name": 7}', 502)):
        scripted.queue(reply)

        assert (await _generated(client, body)).status_code == status


def _a_well(floors: int) -> dict[str, Any]:
    """The same without references: each floor looks again at what the ones below have looked at."""
    below = {"anyOf": [_a_well(floors - 1), True]} if floors else {"type": "object"}
    return {**below, "unevaluatedProperties": {"type": "string"}}


@pytest.mark.parametrize("schema", [_a_tower(60), _a_well(60)], ids=["tower", "well"])
async def test_a_schema_that_means_too_much_holds_nobody_up(
    client: httpx2.AsyncClient, scripted: ScriptedChatModel, schema: dict[str, Any]
) -> None:
    """It would take days: the request ends at its deadline, and others are answered meanwhile."""
    form = {"type": "json_schema", "schema": schema}
    scripted.queue('{"name": "Wick"}')
    asking = asyncio.create_task(_generated(client, {"prompt": "?", "response_format": form, "deadline_ms": 1500}))
    while True:
        await asyncio.sleep(0.01)
        if scripted.requests:
            break
    other = await client.get("/health/live")
    answered_first = not asking.done()

    assert (other.status_code, answered_first) == (200, True)
    assert ((await asking).status_code, (await asking).json()["code"]) == (504, "deadline_exceeded")


NO_SCHEMAS: list[dict[str, Any]] = [
    {"type": "tavern"},
    {"properties": []},
    {"$ref": "#/$defs/none"},
    {"$ref": "http://127.0.0.1:9/schema.json"},
    {"$ref": "file:///etc/hostname"},
    {"enum": ["x" * 70_000]},
    {"type": "string", "pattern": "("},
]


async def test_a_schema_that_is_none_is_refused_before_the_model_is_asked(
    client: httpx2.AsyncClient, scripted: ScriptedChatModel
) -> None:
    for schema in NO_SCHEMAS:
        answer = await _generated(client, {"prompt": "?", "response_format": {"type": "json_schema", "schema": schema}})

        assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")
        assert [each["field"] for each in answer.json()["errors"]] == ["/response_format/schema"]
    assert not scripted.requests


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({}, [""]),
    ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, [""]),
    ({"prompt": ""}, ["/prompt"]),
    ({"messages": []}, ["/messages"]),
    ({"messages": [{"role": "player", "content": "b"}]}, ["/messages/0/role"]),
    (
        {"prompt": "a", "parameters": {"temperature": 2.5, "top_p": 0}},
        ["/parameters/temperature", "/parameters/top_p"],
    ),
    ({"prompt": "a", "model": "nobody:x"}, ["/model"]),
    ({"prompt": "a", "deadline_ms": 0}, ["/deadline_ms"]),
    ({"prompt": "a", "promt": "b"}, ["/promt"]),
]


async def test_a_wrong_request_is_refused_with_its_fields_named(
    client: httpx2.AsyncClient, scripted: ScriptedChatModel
) -> None:
    for body, fields in WRONG:
        answer = await _generated(client, body)

        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == fields
    assert not scripted.requests


async def test_an_alias_falls_back_and_says_who_answered(client: httpx2.AsyncClient) -> None:
    """A model that is named directly does not."""
    careful = await _generated(client, {"prompt": "A cart?", "model": "careful"})
    direct = await _generated(client, {"prompt": "A cart?", "model": "far:demo"})

    assert careful.json()["model"] == {"alias": "careful", "provider": "scripted", "name": "demo"}
    assert (direct.status_code, direct.json()["code"], direct.json()["provider"]) == (
        503,
        "provider_unavailable",
        "far",
    )


async def test_a_failing_model_is_a_problem_whole_and_streamed(
    client: httpx2.AsyncClient, scripted: ScriptedChatModel
) -> None:
    outcomes = await _outcomes(client, scripted, {"prompt": "?"}, ProviderRejected("no", provider="scripted"))

    assert [(each["status"], each["code"]) for each in outcomes] == [(502, "provider_rejected")] * 2


async def test_a_retried_request_asks_the_model_once(client: httpx2.AsyncClient, scripted: ScriptedChatModel) -> None:
    answers = [
        await client.post("/v1/text/generate", json={"prompt": "A cart?"}, headers={"idempotency-key": "g"})
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert len(scripted.requests) == 1


async def test_only_a_game_may_generate_and_any_reader_may_see_the_models(client: httpx2.AsyncClient) -> None:
    statuses = {}
    for scope in ("game", "writer", "moderator"):
        made = await client.post("/v1/keys", json={"name": scope, "scopes": [scope]})
        bearer = {"authorization": f"Bearer {made.json()['key']}"}
        generated = await client.post("/v1/text/generate", json={"prompt": "?"}, headers=bearer)
        listed = await client.get("/v1/models", headers=bearer)
        statuses[scope] = (generated.status_code, listed.status_code)

    assert statuses == {"game": (200, 200), "writer": (403, 200), "moderator": (403, 403)}


async def test_the_models_are_listed_with_what_answers(client: httpx2.AsyncClient) -> None:
    answer = (await client.get("/v1/models")).json()

    assert answer["aliases"] == {"default": ["scripted:demo"], "careful": ["far:demo", "scripted:demo"]}
    assert {each["name"]: each["answers"] for each in answer["providers"]} == {"scripted": True, "far": True}
