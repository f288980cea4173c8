"""One dialogue turn, from the player's line to the character's, always inside the deadline."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from llmops_api.core.characters import Character, Characters
from llmops_api.core.conversations import Conversation, Conversations, Reason, SpokenBy, Turn
from llmops_api.core.idempotency import Receipt
from llmops_api.core.models import Models
from llmops_api.core.prompts import Prompt, PromptLibrary
from llmops_api.core.questions import asks_for_fact
from llmops_api.core.retrieval import Retrieved, Retriever
from llmops_api.core.stopwatch import Stopwatch, within
from llmops_api.core.terms import content_terms
from llmops_api.core.worlds import World, Worlds
from llmops_api.errors import BackendUnavailable, DeadlineExceeded
from llmops_api.features.npc.authored import AuthoredLines, Purpose
from llmops_api.features.npc.draft import Draft, Said, in_sentences
from llmops_api.features.npc.last_known import LastKnown
from llmops_api.features.npc.opening import DEADLINE_MS, Opening, recall
from llmops_api.features.npc.performance import Performance
from llmops_api.features.npc.recorder import Recorder
from llmops_api.features.npc.schemas import DialogueRequest, DialogueResponse, SentenceOut, Start
from llmops_api.ports.chat import ChatRequest, Message, Parameters, Role
from llmops_api.responses import StreamEvent
from llmops_api.schemas import Delta, Usage

log = logging.getLogger(__name__)

PROMPT = "npc-dialogue"
DOCUMENTS = 4
PARAMETERS = Parameters(max_tokens=400)
"""Room for six sentences in any script."""
LEAST_SECONDS = 0.025
"""What reading the character may take however short the deadline is: without it there is no line to say."""
RESERVE_SECONDS = 0.1
"""Kept back from the model for writing the turn down; of a short deadline, a fifth."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What stands behind `POST .../dialogue`; one for the service. Drain `recorder` before the state store closes."""

    characters: Characters
    conversations: Conversations
    retriever: Retriever
    models: Models
    prompts: PromptLibrary
    lines: AuthoredLines
    recorder: Recorder
    now: Callable[[], datetime]
    new_id: Callable[[str], str]
    known: LastKnown = field(default_factory=LastKnown)

    async def enter(self, worlds: Worlds, world_id: str, character_id: str, body: DialogueRequest) -> Opening:
        """`open` in the world of this id; while the state store is out of reach, as this replica last knew it."""
        started = time.monotonic()
        seconds = max((body.deadline_ms or DEADLINE_MS) / 1000 / 2, LEAST_SECONDS)
        try:
            world = await within(started + seconds, worlds.get(world_id))
        except (DeadlineExceeded, BackendUnavailable):
            # There is time left: a store that hangs is one that is away.
            away = BackendUnavailable("The state store does not answer.", backend="state")
            opening = self._opening(self.known.world(world_id), character_id, body, started)
            return self.in_trouble(opening, away)
        return await self.open(world, character_id, body, started)

    async def open(
        self, world: World, character_id: str, body: DialogueRequest, started: float | None = None
    ) -> Opening:
        """Read what the turn begins with; its time has begun at `started`, a moment of `time.monotonic()`, or now.

        Raises `NotFound`, and `UnknownModel` for the model of the request.
        """
        opening = self._opening(world, character_id, body, started)
        try:
            opened = await within(max(opening.deadline, opening.watch.started + LEAST_SECONDS), self._read(opening))
        except (DeadlineExceeded, BackendUnavailable) as error:
            return self.in_trouble(opening, error)
        self.known.remember(world, opened.character)
        return opened

    def _opening(self, world: World, character_id: str, body: DialogueRequest, started: float | None) -> Opening:
        """Before anything is read."""
        watch = Stopwatch(body.deadline_ms or world.dialogue.get("deadline_ms") or DEADLINE_MS, started)
        new = Conversation(
            id=self.new_id("conv"),
            world_id=world.id,
            character=character_id,
            player_id=body.player_id,
            save_id=body.save_id or "",
            created_at=self.now().isoformat(),
            is_new=True,
        )
        choice = self.models.choose(body.model, world.dialogue.get("model"))
        return Opening(world, body, watch, choice, Character(character_id, ""), new)

    def in_trouble(self, opening: Opening, error: DeadlineExceeded | BackendUnavailable) -> Opening:
        """The same when the state store has let it down: a line of the character as it was known last, and nothing
        kept."""
        trouble = Reason.DEADLINE if isinstance(error, DeadlineExceeded) else Reason.UPSTREAM
        character = self.known.character(opening.world.id, opening.character.id)
        conversation = replace(opening.conversation, id=opening.body.conversation_id or opening.conversation.id)
        return replace(opening, trouble=trouble, character=character, conversation=conversation)

    async def reply(self, opening: Opening, receipt: Receipt | None = None) -> AsyncGenerator[StreamEvent, None]:
        """`start`, then a `delta` and a `sentence` for each sentence, `usage`, and `done` with the whole answer.

        Closed or cancelled before the end, it keeps the turn with the part that was sent.
        """
        draft = Draft(opening, self.new_id("turn"), self.new_id("line"))
        try:
            yield StreamEvent(
                "start",
                Start(conversation_id=opening.conversation.id, turn_id=draft.turn_id, line_id=draft.line_id),
            )
            async with aclosing(self._spoken(draft)) as spoken:
                async for said in spoken:
                    opening.watch.mark("first")
                    draft.said.append(said)
                    yield StreamEvent("delta", Delta(text=said.delta))
                    yield StreamEvent("sentence", SentenceOut(index=len(draft.said) - 1, text=said.sentence))
        except (GeneratorExit, asyncio.CancelledError):
            if not opening.trouble:
                self.recorder.start(opening.conversation, draft.turn(cancelled=True), *draft.heard)
            raise
        turn = draft.turn()
        answer = DialogueResponse.of_turn(opening.conversation.id, turn)
        await self._kept_in_time(draft, turn, receipt, answer)
        yield StreamEvent("usage", Usage(**turn.usage))
        yield StreamEvent("done", answer)

    async def _read(self, opening: Opening) -> Opening:
        body, character_id = opening.body, opening.character.id
        if body.conversation_id is not None:
            await self.recorder.caught_up(body.conversation_id)
        character, (conversation, history) = await asyncio.gather(
            self.characters.get(opening.world.id, character_id),
            recall(self.conversations, opening.world, character_id, body, opening.conversation),
        )
        return replace(opening, character=character, conversation=conversation, history=history)

    async def _spoken(self, draft: Draft) -> AsyncGenerator[Said, None]:
        reason = draft.opening.trouble or await self._searched(draft)
        if reason is None:
            async with aclosing(self._performed(draft)) as performed:
                async for said in performed:
                    yield said
            if draft.said:
                return
            reason = draft.reason or Reason.UPSTREAM
        for said in await self._authored(draft, reason):
            yield said

    async def _searched(self, draft: Draft) -> Reason | None:
        """Look for lore; why no model should be asked, if none should."""
        opening, trouble = draft.opening, None
        opening.watch.mark("opened")
        try:
            draft.found = await within(_model_deadline(opening), self._search(opening))
        except DeadlineExceeded:
            trouble = Reason.DEADLINE
        except Exception as error:  # noqa: BLE001 - without lore there is still small talk, and an honest line
            log.warning("the lore could not be searched for a dialogue: %s", type(error).__name__)
            trouble = Reason.UPSTREAM
        opening.watch.mark("retrieved")
        if draft.documents or not asks_for_fact(opening.body.text, opening.player_locale, opening.character.persona):
            return None
        return trouble or Reason.NOT_IN_LORE

    async def _search(self, opening: Opening) -> Retrieved:
        query, locale = opening.body.text, opening.player_locale
        if opening.history and not content_terms(query, locale):
            # "And why?" is about what was asked before.
            query = f"{opening.history[-1].player_text} {query}"
        knowledge = opening.character.knowledge.filter
        return await self.retriever.search(opening.world, query, filter=knowledge, limit=DOCUMENTS, locale=locale)

    async def _performed(self, draft: Draft) -> AsyncGenerator[Said, None]:
        watch, draft.prompt = draft.opening.watch, self.prompts.get(PROMPT)
        draft.performance = performance = _performance(self.models, draft, draft.prompt)
        watch.mark("asked")
        async with aclosing(performance.sentences()) as sentences:
            async for sentence in sentences:
                yield draft.follow(sentence)
        watch.mark("answered")
        draft.reason = performance.reason

    async def _authored(self, draft: Draft, reason: Reason) -> Sequence[Said]:
        opening = draft.opening
        stored = {} if opening.trouble else await self._last_heard(opening)
        line, remembered = self.lines.choose(
            Purpose.of(reason), opening.character, opening.locale, opening.listener, stored
        )
        draft.spoken_by, draft.reason = SpokenBy.AUTHORED, reason
        draft.heard = (opening.listener.heard(remembered),)
        return in_sentences(line)

    async def _last_heard(self, opening: Opening) -> Mapping[str, str]:
        """The authored lines heard last, as the store knows them; nothing when it does not answer at once."""
        deadline = max(_model_deadline(opening), time.monotonic() + LEAST_SECONDS / 2)
        try:
            return await within(deadline, self.conversations.last_authored(opening.listener))
        except (DeadlineExceeded, BackendUnavailable):
            return {}

    async def _kept_in_time(self, draft: Draft, turn: Turn, receipt: Receipt | None, answer: DialogueResponse) -> None:
        """Wait for the turn to be written while there is time; without, it is written all the same."""
        if draft.opening.trouble:
            return
        settled = [receipt.settle(answer.model_dump(mode="json"))] if receipt else []
        keeping = self.recorder.start(draft.opening.conversation, turn, *draft.heard, *settled, receipt=receipt)
        seconds = max(LEAST_SECONDS / 2, draft.opening.deadline - time.monotonic())
        await asyncio.wait({keeping}, timeout=seconds)


def _model_deadline(opening: Opening) -> float:
    return opening.deadline - min(RESERVE_SECONDS, (opening.deadline - opening.watch.started) / 5)


def _performance(models: Models, draft: Draft, prompt: Prompt) -> Performance:
    opening, character = draft.opening, draft.opening.character.staged
    # What a character may well say word for word is not a secret of the prompt's.
    silent = replace(character, greeting="", example_dialogue="")
    secret = prompt.block("system", world=opening.world, character=silent, locale=opening.locale)
    request = _request(draft, prompt, character)
    return Performance(models, opening.choice, request, names=(character.name, character.id), secret=secret)


def _request(draft: Draft, prompt: Prompt, character: Character) -> ChatRequest:
    """The persona, then what was said before, then the lore and the line: the longest unchanging part comes first."""
    opening = draft.opening
    user = partial(prompt.block, "user")
    system = prompt.block("system", world=opening.world, character=character, locale=opening.locale)
    messages = [Message.of(Role.SYSTEM, system, stable=True)]
    for turn in opening.history:
        if turn.text:
            messages.append(Message.of(Role.USER, user(documents=(), facts={}, text=turn.player_text)))
            messages.append(Message.of(Role.ASSISTANT, turn.text))
    messages.append(
        Message.of(Role.USER, user(documents=draft.documents, facts=opening.body.facts, text=opening.body.text))
    )
    return ChatRequest("", tuple(messages), PARAMETERS, deadline=_model_deadline(opening))
