"""Questions to the lore over HTTP: answered or refused in the right language, by a model that is open, in time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx2
import pytest
from fastapi import FastAPI

from llmops_api.adapters.scripted.model import ScriptedChatModel
from llmops_api.app import create_app
from llmops_api.bootstrap import open_backends
from llmops_api.core.worlds import World
from llmops_api.ports.embedding import InputType, Vectors
from llmops_api.settings import Settings
from tests.support import CountingEmbedder, events_of, serving

LORE = {
    "item/bell": {"title": "The Drowned Bell", "text": "The Drowned Bell rang last in the year 98."},
    "place/gate": {
        "title": "The Ember Gate",
        "text": "The Ember Gate closes at nine in the evening. It opens at five.",
    },
    "event/fire": {"title": "The Thatch Fire", "text": "Forty houses burned in the Thatch Fire of the year 61."},
}
QUESTION = "When did the Drowned Bell ring last?"
STRANGE = "Who painted the Mona Lisa?"
ASK = "/v1/worlds/w/ask"


class Stuck(CountingEmbedder):
    """Never answers a question."""

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        if input_type is InputType.QUERY:
            await asyncio.Event().wait()
        return await super().embed(inputs, input_type=input_type)


@pytest.fixture
async def world(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The service with a world `w` of three documents."""
    await _furnish(client)
    return client


@pytest.fixture
async def stuck(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """The same with an embedder that never answers a question."""
    async with (
        open_backends(settings) as backends,
        serving(create_app(settings, replace(backends, embedder=Stuck()))) as client,
    ):
        await _furnish(client)
        yield client


async def _furnish(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/worlds/w", json={"title": "W"})
    for document_id, document in LORE.items():
        await client.put(f"/v1/worlds/w/lore/{document_id}", json=document)


async def test_an_answer_stands_on_a_quote(world: httpx2.AsyncClient) -> None:
    answer = (await world.post(ASK, json={"question": QUESTION})).json()

    assert not answer["refused"]
    assert answer["model"] == {"alias": "default", "provider": "scripted", "name": "demo"}
    assert answer["citations"][0]["quote"] == LORE["item/bell"]["text"]


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({}, "The lore of this world does not say."),
        ({"locale": "de-CH"}, "Die Überlieferung dieser Welt sagt dazu nichts."),
    ],
)
async def test_a_refusal_speaks_the_language_of_the_question(
    world: httpx2.AsyncClient, given: dict[str, str], refusal: str
) -> None:
    answer = (await world.post(ASK, json={"question": STRANGE, **given})).json()

    assert (answer["answer"], answer["refused"]) == (refusal, True)


async def test_a_refusal_speaks_the_language_of_the_world(world: httpx2.AsyncClient) -> None:
    await world.put("/v1/worlds/w", json={"title": "W", "locale": "fr"})

    answer = events_of((await world.post(ASK, json={"question": STRANGE, "stream": True})).text)

    assert answer[0] == ("delta", {"text": "Les récits de ce monde n'en disent rien."})
    assert answer[-1][1]["answer"] == answer[0][1]["text"]


async def test_a_world_whose_model_is_not_open_here_is_answered_by_the_default(
    app: FastAPI, world: httpx2.AsyncClient
) -> None:
    """It was open when the world was declared; the settings of the service have changed since."""
    await app.state.worlds.put(World("w", "W", dialogue={"model": "gone:x"}))

    answer = await world.post(ASK, json={"question": QUESTION})
    refused = await world.post(ASK, json={"question": QUESTION, "model": "gone:x"})

    assert answer.json()["model"]["alias"] == "default"
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "/model")


async def test_a_search_that_takes_too_long_is_a_problem_in_time(stuck: httpx2.AsyncClient) -> None:
    answer = await stuck.post(ASK, json={"question": QUESTION, "deadline_ms": 50})

    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


async def test_a_search_that_takes_too_long_ends_a_stream_in_time(stuck: httpx2.AsyncClient) -> None:
    answer = await stuck.post(ASK, json={"question": QUESTION, "deadline_ms": 50, "stream": True})
    name, problem = events_of(answer.text)[-1]

    assert (name, problem["code"]) == ("error", "deadline_exceeded")


@pytest.fixture
async def spoken(settings: Settings) -> AsyncIterator[tuple[httpx2.AsyncClient, ScriptedChatModel]]:
    """The service with the world, and its model, whose answers a test queues."""
    model = ScriptedChatModel()
    async with open_backends(settings) as backends:
        own = replace(backends, chat_models={"scripted": model})
        async with serving(create_app(settings, own)) as client:
            await _furnish(client)
            yield client, model


async def test_what_a_model_thinks_is_no_part_of_its_answer(
    spoken: tuple[httpx2.AsyncClient, ScriptedChatModel],
) -> None:
    client, model = spoken
    model.queue("<think>Year 98?</think>\nIn the year 98.")

    events = events_of((await client.post(ASK, json={"question": QUESTION, "stream": True})).text)

    assert "".join(data["text"] for name, data in events if name == "delta") == "In the year 98."
    assert events[-1][1]["answer"] == "In the year 98."


@pytest.mark.parametrize("nothing", ["", " \n ", "<think>Hm.</think>", "<think>Hm"])
async def test_a_model_that_gives_no_answer_is_a_problem(
    spoken: tuple[httpx2.AsyncClient, ScriptedChatModel], nothing: str
) -> None:
    """Never an empty answer that looks like one."""
    client, model = spoken
    model.queue(nothing, nothing)

    whole = (await client.post(ASK, json={"question": QUESTION})).json()
    name, streamed = events_of((await client.post(ASK, json={"question": QUESTION, "stream": True})).text)[-1]

    assert (whole["status"], whole["code"]) == (502, "provider_garbled")
    assert (name, streamed["code"]) == ("error", "provider_garbled")
