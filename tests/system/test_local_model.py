"""The service with a language model of its own: a GGUF file in the process, no other server, no network."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import events_of
from tests.system.deployments import Deployment
from tests.system.service import Service
from tests.upstreams.smollm2 import SMOLLM2

PERSONA = {
    "name": "Joss",
    "description": "Joss keeps the gate of a small town and loves to talk about it.",
    "fallback_lines": ["Not now, friend."],
}
TURN = {"player_id": "p1", "text": "Good morning! How are you today?", "deadline_ms": 60_000}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Iterator[Service]:
    settings = {
        **deployment.settings(),
        "MODEL_ALIASES": '{"default": "llama_cpp:smollm2"}',
        "LLAMA_CPP__MODEL_PATH": str(SMOLLM2),
        "LLAMA_CPP__THREADS": "1",
        "EMBEDDER": "none",
    }
    with Service(tmp_path_factory.mktemp("local") / "data", **settings) as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        service.client.put("/v1/worlds/w/characters/joss", json=PERSONA).raise_for_status()
        yield service


def _turn(service: Service, *, stream: bool) -> dict[str, Any]:
    answer = service.client.post("/v1/worlds/w/characters/joss/dialogue", json={**TURN, "stream": stream})
    answer.raise_for_status()
    if not stream:
        return dict(answer.json())
    name, done = events_of(answer.text)[-1]
    assert name == "done"
    return done


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_character_speaks_with_it(service: Service, stream: bool) -> None:
    """Now and then so small a model says what is no line at all: an authored one goes out, with its reason."""
    turns = [_turn(service, stream=stream)]
    while turns[-1]["spoken_by"] != "model" and len(turns) < 20:
        turns.append(_turn(service, stream=stream))
    *authored, spoken = turns

    assert all(turn["text"] for turn in turns)
    assert {turn["reason"] for turn in authored} <= {"upstream", "guarded"}
    assert spoken["spoken_by"] == "model"
    assert spoken["model"] == {"alias": "default", "provider": "llama_cpp", "name": "smollm2"}


def test_json_that_fits_a_schema_comes_back_parsed(service: Service) -> None:
    schema = {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]}
    body = {
        "prompt": "Is the gate open?",
        "response_format": {"type": "json_schema", "schema": schema},
        "parameters": {"temperature": 0, "max_tokens": 60},
    }

    answer = service.client.post("/v1/text/generate", json=body)

    assert answer.status_code == 200, answer.text
    assert isinstance(answer.json()["parsed"]["open"], bool)


def test_a_prompt_longer_than_its_context_is_a_problem_that_says_so(service: Service) -> None:
    answer = service.client.post("/v1/text/generate", json={"prompt": "word " * 5000})

    assert (answer.status_code, answer.json()["code"]) == (502, "provider_rejected")
    assert "LLMOPS_LLAMA_CPP__CONTEXT_SIZE" in answer.json()["detail"]


def test_it_is_ready_and_prints_nothing_of_the_librarys(service: Service) -> None:
    assert service.client.get("/health/ready").status_code == 200
    assert "llama_" not in service.log().replace("llama_cpp", "")
    assert "Traceback" not in service.log()
