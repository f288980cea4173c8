"""A dialogue while the state store is out of reach: as this replica knew the world and the character last."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmops_api.core.conversations import Reason, SpokenBy
from llmops_api.core.worlds import World, Worlds
from llmops_api.errors import BackendUnavailable, NotFound
from llmops_api.features.npc.schemas import DialogueRequest, DialogueResponse
from tests.features.npc.stage import GUARD, Stage, open_stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as stage:
        yield stage


async def _said(stage: Stage, world: str = "w", **more: Any) -> DialogueResponse:
    """The answer of a turn in the world of this id, as the route opens it."""
    worlds: Any = Worlds(stage.state, None, None, str)  # type: ignore[arg-type]  # only read from
    body = DialogueRequest.model_validate({"player_id": "p1", "text": "Who are you?", **more})
    opening = await stage.dialogue.enter(worlds, world, "guard", body)
    *_, last = [event async for event in stage.dialogue.reply(opening)]
    assert isinstance(last.data, DialogueResponse)
    return last.data


async def _fail(*_: Any, **__: Any) -> None:
    raise BackendUnavailable("away", backend="state")


async def _hang(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("get", [_fail, _hang], ids=["fails", "hangs"])
async def test_a_character_that_was_met_before_says_a_line_of_its_own(stage: Stage, get: Any) -> None:
    """Within the deadline, though neither the world nor the character can be read."""
    await _said(stage)

    async with asyncio.timeout(5):
        said = await _said(stage.with_state(get=get), deadline_ms=1000, conversation_id="conv_9")

    assert said.text in GUARD.fallback_lines
    assert (said.spoken_by, said.reason, said.conversation_id) == (SpokenBy.AUTHORED, Reason.UPSTREAM, "conv_9")


async def test_a_character_that_was_never_met_says_a_plain_line(stage: Stage) -> None:
    said = await _said(stage.with_state(get=_fail))

    assert said.text
    assert (said.spoken_by, said.reason) == (SpokenBy.AUTHORED, Reason.UPSTREAM)


async def test_what_was_deleted_is_not_remembered_once_the_store_is_back(stage: Stage) -> None:
    await _said(stage)
    await stage.dialogue.characters.delete("w", "guard")

    with pytest.raises(NotFound):
        await _said(stage)
    with pytest.raises(NotFound):
        await _said(stage, world="elsewhere")


async def test_the_time_of_a_turn_begins_before_its_world_is_read(stage: Stage) -> None:
    """However long that takes, it is not given twice."""
    read_at: list[float] = []

    class Slow:
        async def get(self, _world_id: str) -> World:
            read_at.append(time.monotonic())
            return stage.world

    worlds: Any = Slow()
    body = DialogueRequest(player_id="p1", text="Who are you?", deadline_ms=700)
    opening = await stage.dialogue.enter(worlds, "w", "guard", body)

    assert opening.deadline <= read_at[0] + 0.7
