"""What a turn begins with: who speaks to whom, in which conversation, and what was said before."""

from dataclasses import dataclass

from llmops_api.core.characters import Character
from llmops_api.core.conversations import Conversation, Conversations, Listener, Reason, Turn
from llmops_api.core.models import Choice
from llmops_api.core.stopwatch import Stopwatch
from llmops_api.core.worlds import World
from llmops_api.errors import NotFound
from llmops_api.features.npc.schemas import DialogueRequest

DEADLINE_MS = 8000
HISTORY_TURNS = 12


@dataclass(frozen=True, slots=True)
class Opening:
    """`trouble`: the state store did not answer in time, so the character is the last known one, and the turn is not
    kept."""

    world: World
    body: DialogueRequest
    watch: Stopwatch
    choice: Choice
    character: Character
    conversation: Conversation
    history: tuple[Turn, ...] = ()
    trouble: Reason | None = None

    @property
    def listener(self) -> Listener:
        return Listener(self.world.id, self.character.id, self.body.player_id)

    @property
    def player_locale(self) -> str:
        """The language that the player writes in."""
        return self.body.locale or self.world.locale

    @property
    def locale(self) -> str:
        """The language that the character answers in."""
        return self.character.language(self.player_locale)

    @property
    def deadline(self) -> float:
        """When the answer must be out, a moment of `time.monotonic()`."""
        assert self.watch.deadline is not None
        return self.watch.deadline


async def recall(
    conversations: Conversations, world: World, character_id: str, body: DialogueRequest, new: Conversation
) -> tuple[Conversation, tuple[Turn, ...]]:
    """The conversation (`new` when none is named) and its last turns.

    Raises `NotFound` for a conversation that is not this player's with this character.
    """
    if body.conversation_id is None:
        return new, ()
    conversation = await conversations.get(world.id, body.conversation_id)
    if not _fits(conversation, character_id, body):
        raise NotFound("There is no such conversation in this world.")
    limit = world.dialogue.get("history_turns", HISTORY_TURNS)
    return conversation, tuple(await conversations.history(conversation, limit))


def _fits(conversation: Conversation, character_id: str, body: DialogueRequest) -> bool:
    if (conversation.character, conversation.player_id) != (character_id, body.player_id):
        return False
    return body.save_id in (None, conversation.save_id)
