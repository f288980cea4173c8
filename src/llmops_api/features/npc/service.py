"""One dialogue turn, from the player's line to the character's, always inside the deadline."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from llmops_api.core.characters import Character, Characters
from llmops_api.core.conversations import Conversation, Conversations, Reason, SpokenBy, Turn
from llmops_api.core.idempotency import Receipt
from llmops_api.core.models import Choice, Models
from llmops_api.core.prompts import Prompt, PromptLibrary
from llmops_api.core.questions import asks_for_fact
from llmops_api.core.retrieval import Retrieved, Retriever
from llmops_api.core.stopwatch import Stopwatch
from llmops_api.core.terms import content_terms
from llmops_api.core.worlds import World
from llmops_api.errors import BackendUnavailable, UnknownModel
from llmops_api.features.npc.authored import AuthoredLines, Purpose
from llmops_api.features.npc.deadline import within
from llmops_api.features.npc.draft import Draft, Said, in_sentences
from llmops_api.features.npc.performance import Performance
from llmops_api.features.npc.recorder import Recorder
from llmops_api.features.npc.scene import DEADLINE_MS, Scene, recall
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

    async def open(self, world: World, character_id: str, body: DialogueRequest) -> Scene:
        """Read what the turn begins with. Raises `NotFound`, and `UnknownModel` for the model of the request."""
        watch = Stopwatch(body.deadline_ms or world.dialogue.get("deadline_ms") or DEADLINE_MS)
        new = Conversation(
            id=self.new_id("conv"),
            world_id=world.id,
            character=character_id,
            player_id=body.player_id,
            save_id=body.save_id or "",
            created_at=self.now().isoformat(),
            is_new=True,
        )
        scene = Scene(world, body, watch, self._choice(world, body), Character(character_id, ""), new)
        try:
            return await within(max(scene.deadline, watch.started + LEAST_SECONDS), self._read(scene))
        except (TimeoutError, BackendUnavailable) as error:
            trouble = Reason.DEADLINE if isinstance(error, TimeoutError) else Reason.UPSTREAM
            return replace(scene, trouble=trouble, conversation=replace(new, id=body.conversation_id or new.id))

    async def reply(self, scene: Scene, receipt: Receipt | None = None) -> AsyncGenerator[StreamEvent, None]:
        """`start`, then a `delta` and a `sentence` for each sentence, `usage`, and `done` with the whole answer.

        Closed or cancelled before the end, it keeps the turn with the part that was sent.
        """
        draft = Draft(scene, self.new_id("turn"), self.new_id("line"))
        try:
            yield StreamEvent(
                "start",
                Start(conversation_id=scene.conversation.id, turn_id=draft.turn_id, line_id=draft.line_id),
            )
            async with aclosing(self._spoken(draft)) as spoken:
                async for said in spoken:
                    scene.watch.mark("first")
                    draft.said.append(said)
                    yield StreamEvent("delta", Delta(text=said.delta))
                    yield StreamEvent("sentence", SentenceOut(index=len(draft.said) - 1, text=said.sentence))
        except (GeneratorExit, asyncio.CancelledError):
            if not scene.trouble:
                self.recorder.start(scene.conversation, draft.turn(cancelled=True), *draft.heard)
            raise
        turn = draft.turn()
        answer = DialogueResponse.of_turn(scene.conversation.id, turn)
        await self._kept_in_time(draft, turn, receipt, answer)
        yield StreamEvent("usage", Usage(**turn.usage))
        yield StreamEvent("done", answer)

    def _choice(self, world: World, body: DialogueRequest) -> Choice | None:
        if body.model is not None:
            return self.models.resolve(body.model)
        try:
            return self.models.resolve(world.dialogue.get("model"))
        except UnknownModel:
            # The game's request is right: what is wrong with the world must not silence its characters.
            log.warning("world %s names a model that is not open here", world.id)
            return None

    async def _read(self, scene: Scene) -> Scene:
        body, character_id = scene.body, scene.character.id
        if body.conversation_id is not None:
            await self.recorder.caught_up(body.conversation_id)
        character, (conversation, history, authored) = await asyncio.gather(
            self.characters.get(scene.world.id, character_id),
            recall(self.conversations, scene.world, character_id, body, scene.conversation),
        )
        return replace(scene, character=character, conversation=conversation, history=history, authored=authored)

    async def _spoken(self, draft: Draft) -> AsyncGenerator[Said, None]:
        reason = draft.scene.trouble or await self._searched(draft)
        if reason is None:
            async with aclosing(self._performed(draft)) as performed:
                async for said in performed:
                    yield said
            if draft.said:
                return
            reason = draft.reason or Reason.UPSTREAM
        for said in self._authored(draft, reason):
            yield said

    async def _searched(self, draft: Draft) -> Reason | None:
        """Look for lore; why no model should be asked, if none should."""
        scene, trouble = draft.scene, None
        scene.watch.mark("opened")
        try:
            draft.found = await within(_model_deadline(scene), self._search(scene))
        except TimeoutError:
            trouble = Reason.DEADLINE
        except Exception as error:  # noqa: BLE001 - without lore there is still small talk, and an honest line
            log.warning("the lore could not be searched for a dialogue: %s", type(error).__name__)
            trouble = Reason.UPSTREAM
        scene.watch.mark("retrieved")
        if draft.documents or not asks_for_fact(scene.body.text, scene.player_locale, scene.character.persona):
            return None
        return trouble or Reason.NOT_IN_LORE

    async def _search(self, scene: Scene) -> Retrieved:
        query, locale = scene.body.text, scene.player_locale
        if scene.history and not content_terms(query, locale):
            # "And why?" is about what was asked before.
            query = f"{scene.history[-1].player_text} {query}"
        knowledge = scene.character.knowledge.filter
        return await self.retriever.search(scene.world, query, filter=knowledge, limit=DOCUMENTS, locale=locale)

    async def _performed(self, draft: Draft) -> AsyncGenerator[Said, None]:
        scene = draft.scene
        if scene.choice is None:
            return
        draft.choice, draft.prompt = scene.choice, self.prompts.get(PROMPT)
        performance = _performance(self.models, scene.choice, draft, draft.prompt)
        scene.watch.mark("asked")
        async with aclosing(performance.sentences()) as sentences:
            async for sentence in sentences:
                yield draft.follow(sentence)
        scene.watch.mark("answered")
        draft.reason, draft.answer = performance.reason, performance.answer

    def _authored(self, draft: Draft, reason: Reason) -> Sequence[Said]:
        scene = draft.scene
        line, remembered = self.lines.choose(
            Purpose.of(reason), scene.character, scene.locale, scene.listener, scene.authored
        )
        draft.spoken_by, draft.reason = SpokenBy.AUTHORED, reason
        draft.heard = (scene.listener.heard(remembered),)
        return in_sentences(line)

    async def _kept_in_time(self, draft: Draft, turn: Turn, receipt: Receipt | None, answer: DialogueResponse) -> None:
        """Wait for the turn to be written while there is time; without, it is written all the same."""
        if draft.scene.trouble:
            return
        settled = [receipt.settle(answer.model_dump(mode="json"))] if receipt else []
        keeping = self.recorder.start(draft.scene.conversation, turn, *draft.heard, *settled, receipt=receipt)
        seconds = max(LEAST_SECONDS / 2, draft.scene.deadline - time.monotonic())
        await asyncio.wait({keeping}, timeout=seconds)


def _model_deadline(scene: Scene) -> float:
    return scene.deadline - min(RESERVE_SECONDS, (scene.deadline - scene.watch.started) / 5)


def _performance(models: Models, choice: Choice, draft: Draft, prompt: Prompt) -> Performance:
    scene, character = draft.scene, draft.scene.character.staged
    # What a character may well say word for word is not a secret of the prompt's.
    silent = replace(character, greeting="", example_dialogue="")
    secret = prompt.block("system", world=scene.world, character=silent, locale=scene.locale)
    return Performance(models, choice, _request(draft, prompt), names=(character.name, character.id), secret=secret)


def _request(draft: Draft, prompt: Prompt) -> ChatRequest:
    """The persona, then what was said before, then the lore and the line: the longest unchanging part comes first."""
    scene = draft.scene
    user = partial(prompt.block, "user")
    system = prompt.block("system", world=scene.world, character=scene.character.staged, locale=scene.locale)
    messages = [Message.of(Role.SYSTEM, system)]
    for turn in scene.history:
        if turn.text:
            messages.append(Message.of(Role.USER, user(documents=(), facts={}, text=turn.player_text)))
            messages.append(Message.of(Role.ASSISTANT, turn.text))
    messages.append(
        Message.of(Role.USER, user(documents=draft.documents, facts=scene.body.facts, text=scene.body.text))
    )
    return ChatRequest("", tuple(messages), PARAMETERS, deadline=_model_deadline(scene))
