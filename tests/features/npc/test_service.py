"""Dialogue turns on the real stores: grounded, in time, in whole sentences, kept whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llmops_api.core.conversations import LAST_AUTHORED, Criteria, Reason, SpokenBy
from llmops_api.core.models import Models
from llmops_api.errors import BackendUnavailable, NotFound, ProviderInterrupted, ProviderUnavailable, UnknownModel
from llmops_api.features.npc.authored import AuthoredLines
from llmops_api.features.npc.schemas import DialogueRequest, DialogueResponse
from llmops_api.ports.chat import FinishReason, Role
from llmops_api.schemas import ModelUsed
from llmops_api.settings import Price
from tests.features.npc.stage import GREETING, GUARD, LORE, QUESTION, STRANGE, Stage, Step, Unruly, open_stage

BROKEN = ProviderInterrupted("it broke off", provider="unruly")
DOWN = ProviderUnavailable("it is down", provider="unruly")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened


async def _unavailable(*_arguments: Any, **_options: Any) -> Any:
    raise BackendUnavailable("out of reach", backend="state")


async def _never(*_arguments: Any, **_options: Any) -> Any:
    await asyncio.Event().wait()


async def test_a_question_that_the_lore_holds_is_answered_with_a_citation(stage: Stage) -> None:
    answer = await stage.say(QUESTION)
    (citation,) = answer.citations

    assert (answer.spoken_by, answer.reason) == (SpokenBy.MODEL, None)
    assert "nine in the evening" in answer.text
    assert citation.document_id == "place/gate"
    assert citation.quote in LORE[0].text


async def test_an_answer_names_everything_that_made_it(stage: Stage) -> None:
    answer = await stage.say(QUESTION)

    assert answer.versions.character == 1
    assert answer.versions.prompt == "npc-dialogue@1"
    assert answer.versions.lore
    assert answer.model is not None
    assert (answer.model.alias, answer.model.provider, answer.model.name) == ("default", "scripted", "demo")
    assert answer.usage.output_tokens > 0
    assert None not in (answer.timing.first_sentence_ms, answer.timing.retrieval_ms, answer.timing.model_ms)


async def test_the_cost_of_a_line_is_counted(stage: Stage) -> None:
    models = stage.dialogue.models
    models._prices = {"scripted": Price(input=1_000_000)}
    answer = await stage.say(QUESTION)

    assert answer.cost is not None
    assert answer.cost.amount == answer.usage.input_tokens


async def test_the_deltas_joined_are_the_text_and_every_sentence_follows_its_delta(stage: Stage) -> None:
    stage.scripted.queue('Joss: "*counts* Nine o\'clock, Mr. Smith. Every night... Bring the eight."')
    events = await stage.events(QUESTION)
    deltas = [event.data.text for event in events if event.name == "delta"]  # type: ignore[attr-defined]  # by name
    answer = events[-1].data
    assert isinstance(answer, DialogueResponse)

    assert [event.name for event in events] == ["start", *["delta", "sentence"] * len(deltas), "usage", "done"]
    assert "".join(deltas) == answer.text
    assert len(deltas) == len(answer.sentences) > 1
    assert not set('*"') & set(answer.text)
    assert not answer.text.startswith("Joss")


async def test_what_is_answered_is_what_is_kept(stage: Stage) -> None:
    answer = await stage.say(QUESTION, facts={"hour": 21, "place": "gate"}, save_id="s1")
    (turn,) = await stage.turns(answer.conversation_id)

    assert DialogueResponse.of_turn(answer.conversation_id, turn) == answer
    assert (turn.player_text, turn.facts) == (QUESTION, {"hour": 21, "place": "gate"})
    assert [each.id for each in await stage.dialogue.conversations.list("w", Criteria(save_id="s1"))] == [
        answer.conversation_id
    ]


async def test_a_greeting_is_answered_by_the_model(stage: Stage) -> None:
    answer = await stage.say(GREETING)

    assert (answer.spoken_by, answer.reason) == (SpokenBy.MODEL, None)


async def test_what_the_lore_does_not_hold_gets_an_honest_line_and_no_model_is_asked(stage: Stage) -> None:
    answer = await stage.say(STRANGE)

    assert (answer.spoken_by, answer.reason) == (SpokenBy.AUTHORED, Reason.NOT_IN_LORE)
    assert answer.text in GUARD.unknown_lines
    assert (answer.model, answer.citations) == (None, [])
    assert not stage.scripted.requests


async def test_a_character_does_not_know_what_it_may_not_know(stage: Stage) -> None:
    secretive = replace(GUARD, knowledge=replace(GUARD.knowledge, tags=("secret",)))
    await stage.dialogue.characters.put("w", secretive)

    assert (await stage.say(QUESTION)).reason is Reason.NOT_IN_LORE


async def test_a_question_without_a_subject_is_about_what_was_said_before(stage: Stage) -> None:
    first = await stage.say("How many houses burned in the Thatch Fire?")
    await stage.say("And when was that?", conversation_id=first.conversation_id)

    assert "<lore>" in stage.scripted.requests[-1].messages[-1].text


async def test_the_model_sees_the_persona_then_the_last_turns_then_the_line(stage: Stage) -> None:
    stage.world = replace(stage.world, dialogue={"history_turns": 1})
    first = await stage.say("Hello there, Joss.")
    second = await stage.say("How are you?", conversation_id=first.conversation_id)
    await stage.say("I </player_line> see.", conversation_id=first.conversation_id, facts={"hour": 21})
    system, before, reply, line = stage.scripted.requests[-1].messages

    assert [each.role for each in (system, before, reply, line)] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.USER]
    assert '<character name="Joss">' in system.text
    assert [each.stable for each in (system, before, reply, line)] == [True, False, False, False]
    assert before.text == "<player_line>How are you?</player_line>"
    assert reply.text == second.text
    assert '<fact name="hour">21</fact>' in line.text
    assert line.text.endswith("<player_line>I &lt;/player_line&gt; see.</player_line>")


@pytest.mark.parametrize(
    ("steps", "finish", "reason"),
    [
        pytest.param((DOWN,), None, Reason.UPSTREAM, id="dead"),
        pytest.param((RuntimeError("a fault of the adapter"),), None, Reason.UPSTREAM, id="faulty"),
        pytest.param(("The gate clo", BROKEN), None, Reason.UPSTREAM, id="cut in the first sentence"),
        pytest.param(("The gate clo",), None, Reason.UPSTREAM, id="ended without saying so"),
        pytest.param((), FinishReason.STOP, Reason.UPSTREAM, id="silent"),
        pytest.param(("The gate clo",), FinishReason.LENGTH, Reason.UPSTREAM, id="cut by the length limit"),
        pytest.param((), FinishReason.CONTENT_FILTER, Reason.GUARDED, id="filtered"),
        pytest.param((60.0,), FinishReason.STOP, Reason.DEADLINE, id="slow"),
        pytest.param(("The gate clo", 60.0), FinishReason.STOP, Reason.DEADLINE, id="slow in the first sentence"),
        pytest.param(
            ("#### {{{{ 0x00 ]]] ;;;; \ufffd\ufffd\ufffd\ufffd",), FinishReason.STOP, Reason.GUARDED, id="garbage"
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_when_the_model_says_nothing_whole_a_fallback_line_does(
    stage: Stage, steps: tuple[Step, ...], finish: FinishReason | None, reason: Reason, stream: bool
) -> None:
    stage = stage.with_model(Unruly(*steps, finish=finish))
    answer = await stage.say(QUESTION, deadline_ms=400, stream=stream)
    (turn,) = await stage.turns(answer.conversation_id)

    assert (answer.spoken_by, answer.reason, answer.model) == (SpokenBy.AUTHORED, reason, None)
    assert answer.text in GUARD.fallback_lines
    assert turn.text == answer.text


@pytest.mark.parametrize(
    ("steps", "finish", "reason"),
    [
        pytest.param((BROKEN,), None, Reason.UPSTREAM, id="cut"),
        pytest.param((60.0,), FinishReason.STOP, Reason.DEADLINE, id="slow"),
        pytest.param((), FinishReason.LENGTH, None, id="length limit"),
        pytest.param((), FinishReason.CONTENT_FILTER, Reason.GUARDED, id="filtered"),
    ],
)
async def test_whole_sentences_stand_and_half_ones_are_never_said(
    stage: Stage, steps: tuple[Step, ...], finish: FinishReason | None, reason: Reason | None
) -> None:
    stage = stage.with_model(Unruly("The gate closes at nine. Bring the ei", *steps, finish=finish))
    answer = await stage.say(QUESTION, deadline_ms=400)
    (turn,) = await stage.turns(answer.conversation_id)

    assert (answer.spoken_by, answer.reason) == (SpokenBy.MODEL, reason)
    assert answer.text == turn.text == "The gate closes at nine."
    assert answer.model is not None
    assert answer.model.provider == "unruly"


async def test_a_reply_that_was_cut_names_the_model_of_the_alias_that_spoke(stage: Stage) -> None:
    stage.dialogue = replace(stage.dialogue, models=_falling_back("The gate closes at nine. Bring the ei", BROKEN))
    answer = await stage.say(QUESTION)

    assert (answer.text, answer.reason) == ("The gate closes at nine.", Reason.UPSTREAM)
    assert answer.model == ModelUsed(alias="default", provider="unruly", name="y")


async def test_a_turn_that_the_client_left_names_the_model_of_the_alias_that_spoke(stage: Stage) -> None:
    stage.dialogue = replace(stage.dialogue, models=_falling_back("The gate closes at nine. Bring", 60.0))
    opening = await stage.dialogue.open(stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION))
    events = stage.dialogue.reply(opening)
    for _ in range(3):
        await anext(events)
    await events.aclose()
    (turn,) = await stage.turns(opening.conversation.id)

    assert turn.model == {"alias": "default", "provider": "unruly", "name": "y"}


def _falling_back(*steps: Step) -> Models:
    return Models({"down": Unruly(DOWN), "unruly": Unruly(*steps)}, {"default": ["down:x", "unruly:y"]}, {})


async def test_a_sentence_goes_out_while_the_model_still_speaks(stage: Stage) -> None:
    going_on = asyncio.Event()
    stage = stage.with_model(Unruly("The gate closes at nine. Bring", going_on, " the eight."))
    opening = await stage.dialogue.open(
        stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION, deadline_ms=5000)
    )
    texts = []
    async for event in stage.dialogue.reply(opening):
        if event.name == "sentence":
            texts.append(event.data.text)  # type: ignore[attr-defined]  # by name
            going_on.set()

    assert texts == ["The gate closes at nine.", "Bring the eight."]


async def test_a_model_that_recites_its_prompt_is_stopped(stage: Stage) -> None:
    answer = await stage.say(QUESTION, model="scripted:echo")

    assert (answer.spoken_by, answer.reason) == (SpokenBy.AUTHORED, Reason.GUARDED)


async def test_a_recital_ends_the_line_where_it_begins(stage: Stage) -> None:
    stage = stage.with_model(Unruly("At nine. ", GUARD.description, " More."))
    answer = await stage.say(QUESTION)

    assert (answer.text, answer.spoken_by, answer.reason) == ("At nine.", SpokenBy.MODEL, Reason.GUARDED)


async def test_a_speech_ends_after_six_sentences(stage: Stage) -> None:
    stage = stage.with_model(Unruly(*[f"That is sentence number {number}. " for number in range(20)]))
    answer = await stage.say(QUESTION)

    assert (len(answer.sentences), answer.reason) == (6, None)


async def test_sentences_of_unspaced_scripts_are_joined_without_a_space(stage: Stage) -> None:
    stage = stage.with_model(Unruly("門は九時に閉まる。", "また明日来てくれ。"))
    answer = await stage.say(GREETING, locale="ja")

    assert answer.text == "門は九時に閉まる。また明日来てくれ。"
    assert len(answer.sentences) == 2


async def test_no_authored_line_comes_twice_in_a_row_in_whichever_conversation(stage: Stage) -> None:
    stage = stage.with_model(Unruly(DOWN))
    said = [(await stage.say(text)).text for text in (QUESTION, STRANGE, QUESTION, QUESTION, STRANGE, STRANGE) * 2]

    assert all(line != following for line, following in pairwise(said))


async def test_no_authored_line_comes_twice_in_a_row_when_turns_overlap(stage: Stage) -> None:
    stage = stage.with_model(Unruly(DOWN))
    answers = await asyncio.gather(*(stage.say(QUESTION) for _ in range(3)))

    assert {answer.text for answer in answers} == set(GUARD.fallback_lines)


async def test_the_last_authored_line_is_remembered_by_the_store(stage: Stage) -> None:
    """After a restart, or on another replica, it is not said again."""
    stage = stage.with_model(Unruly(DOWN))
    said = []
    for _ in range(4):
        said.append((await stage.say(QUESTION)).text)
        await stage.dialogue.recorder.drained()
        stage.dialogue = replace(stage.dialogue, lines=AuthoredLines.of_package())

    assert said[:3] == list(GUARD.fallback_lines)
    assert said[3] == said[0]


async def test_the_lines_heard_last_are_read_for_an_authored_line_alone(stage: Stage) -> None:
    read = []

    async def get(kind: str, key: str) -> Any:
        read.append(kind)
        return await stage.state.get(kind, key)

    watched = stage.with_state(get=get)
    await watched.say(QUESTION)
    by_model = set(read)
    await watched.say(STRANGE)

    assert LAST_AUTHORED not in by_model
    assert LAST_AUTHORED in read


async def test_a_character_with_a_single_line_borrows_plain_ones(stage: Stage) -> None:
    await stage.dialogue.characters.put("w", replace(GUARD, fallback_lines=("Hm?",)))
    stage = stage.with_model(Unruly(DOWN))
    said = [(await stage.say(GREETING, locale="de-AT")).text for _ in range(3)]

    assert said[0] == said[2] == "Hm?"
    assert said[1] == "Hm. Einen Augenblick."


@pytest.mark.parametrize("text", [QUESTION, STRANGE, GREETING])
async def test_with_no_time_at_all_there_is_still_a_line(stage: Stage, text: str) -> None:
    answer = await stage.say(text, deadline_ms=1)

    assert answer.spoken_by is SpokenBy.AUTHORED
    assert answer.text


async def test_a_model_that_will_not_be_cancelled_does_not_hold_up_the_line(stage: Stage) -> None:
    model = Unruly(60.0, stubborn=2.0)
    stage = stage.with_model(model)
    answer = await stage.say(GREETING, deadline_ms=300)

    assert answer.reason is Reason.DEADLINE
    assert not model.ended.is_set()


async def test_lore_that_does_not_answer_in_time_leaves_time_for_a_line(stage: Stage) -> None:
    answer = await stage.with_lore(search=_never).say(QUESTION, deadline_ms=200)

    assert (answer.spoken_by, answer.reason) == (SpokenBy.AUTHORED, Reason.DEADLINE)
    assert answer.versions.lore is None


async def test_without_lore_a_question_gets_an_honest_line_and_a_greeting_an_answer(stage: Stage) -> None:
    stage = stage.with_lore(search=_unavailable)
    question, greeting = await stage.say(QUESTION), await stage.say(GREETING)

    assert (question.spoken_by, question.reason) == (SpokenBy.AUTHORED, Reason.UPSTREAM)
    assert (greeting.spoken_by, greeting.reason) == (SpokenBy.MODEL, None)


@pytest.mark.parametrize("write", [_unavailable, _never])
async def test_a_turn_that_cannot_be_kept_is_answered_all_the_same(stage: Stage, write: Any) -> None:
    answer = await stage.with_state(write=write).say(QUESTION, deadline_ms=300)

    assert "nine in the evening" in answer.text
    with pytest.raises(NotFound):
        await stage.dialogue.conversations.get("w", answer.conversation_id)


@pytest.mark.parametrize(("get", "reason"), [(_unavailable, Reason.UPSTREAM), (_never, Reason.DEADLINE)])
async def test_a_state_store_that_does_not_answer_costs_the_voice_but_not_the_line(
    stage: Stage, get: Any, reason: Reason
) -> None:
    """Nothing is kept in a conversation that nobody could check."""
    failing = stage.with_state(get=get)
    answer = await failing.say(QUESTION, deadline_ms=100, conversation_id="conv_x")
    await failing.dialogue.recorder.drained()

    assert (answer.spoken_by, answer.reason, answer.conversation_id) == (SpokenBy.AUTHORED, reason, "conv_x")
    assert answer.text
    with pytest.raises(NotFound):
        await stage.dialogue.conversations.get("w", "conv_x")


async def test_a_client_that_leaves_ends_the_model_call_and_keeps_what_was_sent(stage: Stage) -> None:
    model = Unruly("The gate closes at nine. Bring", 60.0)
    stage = stage.with_model(model)
    opening = await stage.dialogue.open(
        stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION, stream=True)
    )
    events = stage.dialogue.reply(opening)
    names = [(await anext(events)).name for _ in range(3)]
    await events.aclose()
    await model.ended.wait()
    (turn,) = await stage.turns(opening.conversation.id)

    assert names == ["start", "delta", "sentence"]
    assert (turn.text, turn.cancelled, turn.spoken_by) == ("The gate closes at nine.", True, SpokenBy.MODEL)


@pytest.mark.parametrize(("stream", "kept"), [(True, "The gate closes at nine."), (False, "")])
async def test_a_turn_cancelled_while_the_model_speaks_keeps_what_was_sent(
    stage: Stage, stream: bool, kept: str
) -> None:
    """Of a whole answer that nobody waited for, nothing had been sent."""
    model = Unruly("The gate closes at nine. Bring", 60.0)
    stage = stage.with_model(model)
    opening = await stage.dialogue.open(
        stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION, stream=stream)
    )
    said = asyncio.Event()

    async def listen() -> None:
        async for event in stage.dialogue.reply(opening):
            if event.name == "sentence":
                said.set()

    listening = asyncio.create_task(listen())
    await said.wait()
    listening.cancel()
    await asyncio.wait({listening})
    await model.ended.wait()
    (turn,) = await stage.turns(opening.conversation.id)

    assert (turn.text, turn.cancelled) == (kept, True)


async def test_a_turn_that_was_cut_by_the_client_and_said_nothing_is_not_shown_to_the_model(stage: Stage) -> None:
    body = DialogueRequest(player_id="p1", text=GREETING)
    opening = await stage.dialogue.open(stage.world, "guard", body)
    events = stage.dialogue.reply(opening)
    await anext(events)
    await events.aclose()
    await stage.dialogue.recorder.drained()
    await stage.say("How are you?", conversation_id=opening.conversation.id)

    assert len(stage.scripted.requests[-1].messages) == 2


async def test_a_retried_request_finds_its_receipt_settled_by_the_very_write_of_the_turn(stage: Stage) -> None:
    receipt = await stage.receipts.begin("scope", "key", "body", lease_seconds=60)
    opening = await stage.dialogue.open(stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION))
    answer = [event async for event in stage.dialogue.reply(opening, receipt)][-1].data
    again = await stage.receipts.begin("scope", "key", "body", lease_seconds=60)

    assert receipt.settled
    assert again.replay == answer.model_dump(mode="json")


async def test_a_turn_that_could_not_be_kept_lets_the_request_be_retried(stage: Stage) -> None:
    receipt = await stage.receipts.begin("scope", "key", "body", lease_seconds=60)
    failing = stage.with_state(write=_unavailable)
    opening = await failing.dialogue.open(stage.world, "guard", DialogueRequest(player_id="p1", text=QUESTION))
    _ = [event async for event in failing.dialogue.reply(opening, receipt)]
    again = await stage.receipts.begin("scope", "key", "body", lease_seconds=60)

    assert again.replay is None


@pytest.mark.parametrize("change", [{"player_id": "p2"}, {"save_id": "s2"}, {"conversation_id": "conv_none"}])
async def test_only_the_own_conversation_can_be_gone_on_with(stage: Stage, change: dict[str, str]) -> None:
    first = await stage.say(GREETING, save_id="s1")

    with pytest.raises(NotFound):
        await stage.say(GREETING, **({"conversation_id": first.conversation_id} | change))


async def test_a_character_that_is_not_there_is_not_found(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.dialogue.open(stage.world, "nobody", DialogueRequest(player_id="p1", text=GREETING))


async def test_an_unknown_model_is_the_callers_error_but_never_the_worlds(stage: Stage) -> None:
    stage.world = replace(stage.world, dialogue={"model": "nothing:x"})
    answer = await stage.say(QUESTION)

    assert (answer.spoken_by, answer.reason) == (SpokenBy.MODEL, None)
    assert answer.model is not None
    assert answer.model.alias == "default"
    with pytest.raises(UnknownModel):
        await stage.say(QUESTION, model="nothing:x")


async def test_two_hundred_dialogues_on_one_conversation_lose_no_turn(stage: Stage) -> None:
    first = await stage.say(GREETING)
    names = {"conversation_id": first.conversation_id}
    answers = await asyncio.gather(*(stage.say(GREETING, **names) for _ in range(200)))
    turns = await stage.turns(first.conversation_id)

    assert {turn.turn_id for turn in turns} == {first.turn_id, *(answer.turn_id for answer in answers)}


async def test_two_hundred_dialogues_on_one_save_lose_no_turn(stage: Stage) -> None:
    answers = await asyncio.gather(*(stage.say(GREETING, save_id="s1") for _ in range(200)))
    await stage.dialogue.recorder.drained()
    kept = await stage.dialogue.conversations.list("w", Criteria(save_id="s1"), limit=500)

    assert {each.id for each in kept} == {answer.conversation_id for answer in answers}


async def test_a_turn_waits_until_the_one_before_it_is_written(stage: Stage) -> None:
    """The answer may be out while the store still writes; whoever goes on with the conversation finds it all the same."""
    held = asyncio.Event()

    async def slowly(*changes: Any) -> list[int]:
        await held.wait()
        return await stage.state.write(*changes)

    slow = stage.with_state(write=slowly)
    first = await slow.say(GREETING, deadline_ms=50)
    following = asyncio.ensure_future(slow.say(GREETING, conversation_id=first.conversation_id))
    await asyncio.sleep(0)
    held.set()

    assert (await following).conversation_id == first.conversation_id
