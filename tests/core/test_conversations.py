"""Conversations on the real state store."""

import asyncio
from dataclasses import replace

import pytest

from llmops_api.core.characters import CHARACTER
from llmops_api.core.conversations import Conversation, Conversations, Criteria, Listener
from llmops_api.core.worlds import WORLD, inside
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.state import Put, StateStore
from tests.support import a_turn

TALK = Conversation("conv_1", "w", "guard", "p1", "s1", "2026-01-01T00:00:00+00:00", is_new=True)


@pytest.fixture
async def conversations(state: StateStore) -> Conversations:
    """In two worlds with a guard and a host each."""
    for world in ("w", "w2"):
        await state.write(Put(WORLD, world, {}), *(Put(CHARACTER, f"{world}/{name}", {}) for name in ("guard", "host")))
    return Conversations(state)


async def test_a_turn_comes_back_as_it_was_recorded(conversations: Conversations) -> None:
    await conversations.record(TALK, a_turn())
    stored = await conversations.get("w", "conv_1")
    (turn,) = await conversations.turns(stored)

    assert stored == replace(TALK, is_new=False)
    assert turn.recorded_at is not None
    assert replace(turn, position=0, recorded_at=None) == a_turn()


async def test_a_conversation_does_not_exist_before_its_first_turn(conversations: Conversations) -> None:
    assert await conversations.history(TALK, 12) == []
    with pytest.raises(NotFound):
        await conversations.get("w", "conv_1")


async def test_history_is_the_last_turns_oldest_first(conversations: Conversations) -> None:
    await conversations.record(TALK, a_turn(1))
    stored = await conversations.get("w", "conv_1")
    for number in (2, 3):
        await conversations.record(stored, a_turn(number))

    assert [turn.turn_id for turn in await conversations.history(stored, 2)] == ["turn_2", "turn_3"]
    assert await conversations.history(stored, 0) == []
    assert [turn.turn_id for turn in await conversations.turns(stored, after=1, limit=1)] == ["turn_2"]


async def test_turns_recorded_at_once_are_all_kept(conversations: Conversations) -> None:
    await conversations.record(TALK, a_turn(0))
    stored = await conversations.get("w", "conv_1")
    await asyncio.gather(*(conversations.record(stored, a_turn(number)) for number in range(1, 60)))
    turns = await conversations.turns(stored)

    assert {turn.turn_id for turn in turns} == {f"turn_{number}" for number in range(60)}
    assert [turn.position for turn in turns] == list(range(1, 61))


async def test_what_belongs_to_a_turn_is_written_with_it(conversations: Conversations) -> None:
    listener = Listener("w", "guard", "p1")
    await conversations.record(TALK, a_turn(), listener.heard({"fallback": "Hm."}))

    assert await conversations.last_authored(listener) == {"fallback": "Hm."}
    assert await conversations.last_authored(replace(listener, player_id="p2")) == {}


async def test_a_turn_that_cannot_be_written_with_the_rest_is_not_written(conversations: Conversations) -> None:
    with pytest.raises(VersionMismatch):
        await conversations.record(TALK, a_turn(), Put("k", "x", {}, expected_version=3))

    with pytest.raises(NotFound):
        await conversations.get("w", "conv_1")


async def test_a_deleted_conversation_is_gone_and_a_late_turn_does_not_bring_it_back(
    conversations: Conversations, state: StateStore
) -> None:
    await conversations.record(TALK, a_turn())
    stored = await conversations.get("w", "conv_1")
    await conversations.delete("w", "conv_1")
    for late in (lambda: conversations.record(stored, a_turn(2)), lambda: conversations.get("w", "conv_1")):
        with pytest.raises(NotFound):
            await late()
    assert await state.read(stored.stream) == []
    assert await conversations.list("w", Criteria(player_id="p1")) == []


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (Criteria(), ["conv_1", "conv_2", "conv_3"]),
        (Criteria(player_id="p1"), ["conv_1", "conv_2"]),
        (Criteria(save_id="s2"), ["conv_2", "conv_3"]),
        (Criteria(character="guard"), ["conv_1", "conv_3"]),
        (Criteria(player_id="p1", save_id="s2"), ["conv_2"]),
        (Criteria(save_id="s2", character="guard"), ["conv_3"]),
        (Criteria(player_id="p2", character="host"), []),
        (Criteria(player_id="%"), []),
    ],
)
async def test_conversations_are_listed_by_player_save_and_character(
    conversations: Conversations, criteria: Criteria, found: list[str]
) -> None:
    others = [
        replace(TALK, id="conv_2", character="host", save_id="s2"),
        replace(TALK, id="conv_3", player_id="p2", save_id="s2"),
        replace(TALK, id="conv_4", world_id="w2"),
    ]
    for each in (TALK, *others):
        await conversations.record(each, a_turn())

    assert [each.id for each in await conversations.list("w", criteria)] == found


async def test_a_list_goes_on_after_an_id(conversations: Conversations) -> None:
    for number in range(1, 4):
        await conversations.record(replace(TALK, id=f"conv_{number}"), a_turn())
    criteria = Criteria(player_id="p1")

    assert [each.id for each in await conversations.list("w", criteria, after="conv_1", limit=1)] == ["conv_2"]
    assert [each.id for each in await conversations.list("w", Criteria(), after="conv_2")] == ["conv_3"]


async def test_deleting_all_of_a_world_leaves_nothing_of_it_and_all_of_the_others(
    conversations: Conversations, state: StateStore
) -> None:
    listener = Listener("w", "guard", "p1")
    await conversations.record(TALK, a_turn(), listener.heard({"fallback": "Hm."}))
    await conversations.record(replace(TALK, world_id="w2"), a_turn())
    await conversations.delete_all("w", inside("w"))

    assert await conversations.list("w", Criteria()) == []
    assert await conversations.list("w", Criteria(save_id="s1")) == []
    assert await conversations.last_authored(listener) == {}
    assert await state.read(TALK.stream) == []
    assert len(await conversations.list("w2", Criteria(player_id="p1"))) == 1


async def test_the_last_turn_tells_how_many_there_are(conversations: Conversations) -> None:
    assert await conversations.last_turn(TALK) is None
    await conversations.record(TALK, a_turn())
    last = await conversations.last_turn(TALK)

    assert last is not None
    assert last.position == 1
