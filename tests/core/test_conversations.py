"""Conversations on the real state store."""

import asyncio
from dataclasses import replace

import pytest

from llmops_api.core.conversations import Conversation, Conversations, Criteria, Listener, Reason, SpokenBy, Turn
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.state import Put, StateStore

TALK = Conversation("conv_1", "w", "guard", "p1", "s1", "2026-01-01T00:00:00+00:00", is_new=True)


def a_turn(number: int = 1) -> Turn:
    return Turn(
        turn_id=f"turn_{number}",
        line_id=f"line_{number}",
        player_text="When does the gate close?",
        text="At nine. Every night.",
        sentences=("At nine.", "Every night."),
        spoken_by=SpokenBy.MODEL,
        reason=Reason.DEADLINE,
        locale="en",
        citations=({"document_id": "place/gate", "title": "Gate", "quote": "It closes at nine.", "score": 0.5},),
        versions={"character": 1, "prompt": "npc-dialogue@1", "lore": "l.1"},
        model={"alias": "default", "provider": "scripted", "name": "demo"},
        usage={"input_tokens": 3, "output_tokens": 4, "cache_read_tokens": 0, "cache_write_tokens": 0},
        cost=None,
        timing={"total_ms": 1.5},
        facts={"hour": 21},
    )


@pytest.fixture
def conversations(state: StateStore) -> Conversations:
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
    await conversations.record(stored, a_turn(2))

    with pytest.raises(NotFound):
        await conversations.get("w", "conv_1")
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
    await conversations.delete_all("w")

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
