"""A stage for dialogue: the real stores with a little lore, the scripted model, and models that misbehave."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmops_api.adapters.database.store import open_state_store
from llmops_api.adapters.embedded.index import open_lore_index
from llmops_api.adapters.scripted.model import ScriptedChatModel
from llmops_api.core.characters import Character, Characters, Knowledge
from llmops_api.core.conversations import Conversations, Turn
from llmops_api.core.documents import Document
from llmops_api.core.idempotency import Receipts
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.models import Models
from llmops_api.core.prompts import PromptLibrary
from llmops_api.core.retrieval import Retriever
from llmops_api.core.worlds import World, Worlds
from llmops_api.features.npc.authored import AuthoredLines
from llmops_api.features.npc.recorder import Recorder
from llmops_api.features.npc.schemas import DialogueRequest, DialogueResponse
from llmops_api.features.npc.service import Dialogue
from llmops_api.ports.chat import ChatChunk, ChatModel, ChatRequest, ChatResponse, FinishReason, Usage
from llmops_api.ports.state import StateStore
from llmops_api.responses import StreamEvent

QUESTION = "When does the Ember Gate close?"
STRANGE = "Who painted the Mona Lisa?"
GREETING = "Good morning, guard."

GUARD = Character(
    "guard",
    "Joss",
    description="Keeper of the Ember Gate, who counts whatever goes past it from noon to midnight.",
    greeting="One traveller. Two boots, no geese.",
    knowledge=Knowledge(tags=("common",)),
    fallback_lines=("Lost count. Start again.", "Cart coming. Ask me later.", "Not now."),
    unknown_lines=("Didn't come through this gate.", "Never counted it. So I won't say."),
)
LORE = (
    Document("place/gate", "The Ember Gate", "The Ember Gate closes at nine in the evening. It opens at five."),
    Document("item/bell", "The Drowned Bell", "The Drowned Bell rang last in the year 98."),
    Document("event/fire", "The Thatch Fire", "Forty houses burned in the Thatch Fire of the year 61."),
)

Step = str | float | Exception | asyncio.Event


class Unruly:
    """A model that does what it is told: says a text, waits so many seconds or for an event, raises.

    `stubborn`: it goes on waiting for a while when its call is cancelled. `ended` is set when a call has ended.
    """

    def __init__(self, *steps: Step, finish: FinishReason | None = FinishReason.STOP, stubborn: float = 0) -> None:
        self.ended = asyncio.Event()
        self.calls = 0
        self._steps = steps
        self._finish = finish
        self._stubborn = stubborn

    async def generate(self, request: ChatRequest) -> ChatResponse:
        raise NotImplementedError

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        self.calls += 1
        try:
            for step in self._steps:
                if isinstance(step, str):
                    yield ChatChunk(step)
                else:
                    await _do(step)
            yield ChatChunk("", self._finish, Usage(7, 5))
        except asyncio.CancelledError:
            await asyncio.sleep(self._stubborn)
            raise
        finally:
            self.ended.set()

    async def ping(self) -> None:
        pass


async def _do(step: float | Exception | asyncio.Event) -> None:
    if isinstance(step, Exception):
        raise step
    if isinstance(step, asyncio.Event):
        await step.wait()
    else:
        await asyncio.sleep(step)


class Meddled:
    """A store or an index some of whose methods do something else."""

    def __init__(self, real: Any, **methods: Callable[..., Any]) -> None:
        self._real = real
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._real, name)


@dataclass(slots=True)
class Stage:
    """The service under test and what it stands on. `world` may be replaced."""

    dialogue: Dialogue
    state: StateStore
    scripted: ScriptedChatModel
    receipts: Receipts
    world: World = field(default_factory=lambda: World("w", "Emberfall"))

    def with_model(self, model: ChatModel) -> "Stage":
        models = Models({"unruly": model}, {"default": ["unruly:x"]}, {})
        return replace(self, dialogue=replace(self.dialogue, models=models))

    def with_state(self, **methods: Callable[..., Any]) -> "Stage":
        """The same on a state store that is meddled with."""
        state: Any = Meddled(self.state, **methods)
        conversations = Conversations(state)
        dialogue = replace(
            self.dialogue,
            characters=Characters(state),
            conversations=conversations,
            recorder=Recorder(conversations),
        )
        return replace(self, dialogue=dialogue, state=state)

    def with_lore(self, **methods: Callable[..., Any]) -> "Stage":
        retriever: Any = Meddled(self.dialogue.retriever, **methods)
        return replace(self, dialogue=replace(self.dialogue, retriever=retriever))

    async def events(self, text: str, **more: Any) -> list[StreamEvent]:
        """All events of a turn of player `p1` with the guard."""
        body = DialogueRequest.model_validate({"player_id": "p1", "text": text, **more})
        opening = await self.dialogue.open(self.world, "guard", body)
        return [event async for event in self.dialogue.reply(opening)]

    async def say(self, text: str, **more: Any) -> DialogueResponse:
        """The whole answer of a turn."""
        answer = (await self.events(text, **more))[-1].data
        assert isinstance(answer, DialogueResponse)
        return answer

    async def turns(self, conversation_id: str) -> Sequence[Turn]:
        """What is kept of a conversation, once all that was begun is written."""
        await self.dialogue.recorder.drained()
        return await self.dialogue.conversations.turns(
            await self.dialogue.conversations.get("w", conversation_id), limit=1000
        )


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """The guard in the world `w`, who knows all its lore; the scripted model answers."""
    async with (
        open_state_store(database_url=f"sqlite+aiosqlite:///{folder / 'state.sqlite'}") as state,
        open_lore_index(folder=folder) as index,
    ):
        stage = _stage(state, index)
        worlds = Worlds(state, index, None, stage.dialogue.new_id)
        stage.world, _ = await worlds.put(stage.world)
        lore = LoreLibrary(state, index, None, worlds)
        await lore.put_many(stage.world, [replace(each, tags=("common",)) for each in LORE])
        await stage.dialogue.characters.put("w", GUARD)
        yield stage
        await stage.dialogue.recorder.drained()


def _stage(state: StateStore, index: Any) -> Stage:
    scripted, numbers = ScriptedChatModel(), itertools.count(1)

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(numbers)}"

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    conversations = Conversations(state)
    dialogue = Dialogue(
        characters=Characters(state),
        conversations=conversations,
        retriever=Retriever(index, None, Worlds(state, index, None, new_id)),
        models=Models({"scripted": scripted}, {"default": ["scripted:demo"]}, {}),
        prompts=PromptLibrary.of_package(),
        lines=AuthoredLines.of_package(),
        recorder=Recorder(conversations),
        now=now,
        new_id=new_id,
    )
    return Stage(dialogue, state, scripted, Receipts(state, now))
