"""A service whose model is slow, dead, throttled, cut, or sends garbage: every player gets a line, every caller a reason."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from tests.servers.ports import free_port
from tests.system.deployments import Deployment
from tests.system.service import ADMIN_KEY, Service
from tests.upstreams.servers import OwnUpstream

TURNS = 100
AT_ONCE = 20
DEADLINE_MS = {"deadline": 1_000, "upstream": 10_000}
"""Where the deadline is what ends the turn, as short as a busy machine can read the conversation in; long where the
failure must show itself first."""
MANNERS = {
    "bad:hanging": "deadline",
    "bad:slow-first": "deadline",
    "bad:silent-after-first": "deadline",
    "bad:throttled": "upstream",
    "bad:cut": "upstream",
    "bad:garbage": "upstream",
    "bad:failing": "upstream",
    "dead:any": "upstream",
}
"""How each model of the upstream behaves, and the reason for the line that goes out instead."""
LINES = ["Lost count. Start again.", "Cart coming. Ask me later.", "Not now, friend.", "Wind's moved. Wait."]


@pytest.fixture(scope="module")
def service(
    own_upstream_process: OwnUpstream, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """With providers that misbehave, and a guard with four authored lines."""
    servers = {
        "bad": {"base_url": own_upstream_process.base_url, "api_key": "upstream-secret"},
        "dead": {"base_url": f"http://127.0.0.1:{free_port()}/v1"},
    }
    limits = {"EMBEDDER": "none", "PROVIDER_CONCURRENCY": "200"}
    settings = deployment.settings() | limits | {"OPENAI_COMPATIBLE": json.dumps(servers)}
    with Service(tmp_path_factory.mktemp("bad") / "data", **settings) as service:
        service.client.put("/v1/worlds/w", json={"title": "W"}).raise_for_status()
        guard = {"name": "Joss", "fallback_lines": LINES}
        service.client.put("/v1/worlds/w/characters/guard", json=guard).raise_for_status()
        yield service


async def _turns(service: Service, model: str, *, stream: bool) -> list[dict[str, Any]]:
    """A hundred turns, twenty players at a time, each in a conversation of its own; what was answered, in order."""
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:

        async def turn(body: dict[str, Any]) -> dict[str, Any]:
            answer = await client.post("/v1/worlds/w/characters/guard/dialogue", json=body)
            assert answer.status_code == 200, answer.text
            return _done(answer.text) if stream else answer.json()

        async def player(number: int) -> list[dict[str, Any]]:
            body = {
                "player_id": f"{model}-{number}",
                "text": "Hello!",
                "model": model,
                "deadline_ms": DEADLINE_MS[MANNERS[model]],
            }
            said = [await turn(body | {"stream": stream})]
            for _ in range(TURNS // AT_ONCE - 1):
                going_on = {"stream": stream, "conversation_id": said[0]["conversation_id"]}
                said.append(await turn(body | going_on))
            return said

        players = await asyncio.gather(*(player(number) for number in range(AT_ONCE)))
    return [turn for said in players for turn in said]


def _done(text: str) -> dict[str, Any]:
    name, data = text.strip().split("\n\n")[-1].splitlines()[1:]
    assert name == "event: done", text
    done: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return done


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", MANNERS)
async def test_a_hundred_turns_are_all_answered_and_kept_whole(service: Service, model: str, stream: bool) -> None:
    """An authored line with its reason, never the same one twice in a row; the conversation holds what was said."""
    said = await _turns(service, model, stream=stream)

    assert {(turn["spoken_by"], turn["reason"]) for turn in said} == {("authored", MANNERS[model])}
    assert {turn["text"] for turn in said} <= set(LINES)
    for start in range(0, TURNS, TURNS // AT_ONCE):
        lines = [turn["text"] for turn in said[start : start + TURNS // AT_ONCE]]
        assert all(line != following for line, following in pairwise(lines))
        kept = service.client.get(f"/v1/worlds/w/conversations/{said[start]['conversation_id']}").json()["turns"]
        assert [turn["text"] for turn in kept] == lines


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("bad:hanging", 504),
        ("bad:throttled", 429),
        ("bad:cut", 502),
        ("bad:garbage", 502),
        ("bad:failing", 503),
        ("bad:denied", 502),
        ("dead:any", 503),
    ],
)
def test_text_answers_a_typed_problem(service: Service, model: str, status: int, stream: bool) -> None:
    """The problem names the kind of failure; it repeats neither the upstream's words nor our key for it."""
    body = {"model": model, "prompt": "Hello", "deadline_ms": 2_000, "stream": stream}
    answer = service.client.post("/v1/text/generate", json=body)
    problem = json.loads(answer.text.strip().splitlines()[-1].removeprefix("data: ")) if stream else answer.json()

    assert problem["status"] == status
    assert answer.status_code == (200 if stream else status)
    assert "secret" not in answer.text


def test_nothing_is_left_running_upstream(service: Service, own_upstream_process: OwnUpstream) -> None:
    """Whatever hung was given up: no call is open at the upstream."""
    own_upstream_process.until(open=0)


def test_a_client_that_leaves_ends_the_call_upstream(service: Service, own_upstream: OwnUpstream) -> None:
    """Whole or streamed: once the player is gone, nobody pays for the rest."""
    for stream in (False, True):
        body = {"model": "bad:hanging", "prompt": "Hello", "stream": stream}
        with pytest.raises(httpx2.TimeoutException):
            service.client.post("/v1/text/generate", json=body, timeout=0.5)

    assert own_upstream.until(open=0, cancelled=2)["calls"] == {"hanging": 2}
