"""Dialogue and conversations over HTTP."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from llmops_api.core.conversations import Criteria
from llmops_api.dependencies import ConversationsDep, GameDep, ReaderDep, TalkerDep, WorldDep, WorldId, WorldsDep
from llmops_api.errors import (
    BackendUnavailable,
    ConflictError,
    DeadlineExceeded,
    IdempotencyMismatch,
    MalformedBody,
    TooLarge,
    UnknownModel,
)
from llmops_api.features.npc.character_router import CharacterId
from llmops_api.features.npc.schemas import (
    ConversationResponse,
    ConversationSummary,
    DialogueRequest,
    DialogueResponse,
    TurnResponse,
)
from llmops_api.features.npc.service import Dialogue
from llmops_api.paging import After, AfterNumber, Limit, page_of
from llmops_api.problems import KEYED, problems
from llmops_api.responses import IDEMPOTENT, claim, respond
from llmops_api.schemas import ID, Page

router = APIRouter(prefix="/v1/worlds/{world}", tags=["Dialogue"], responses=KEYED)

EXAMPLES = {
    "question": {
        "summary": "What the lore holds",
        "value": {"player_id": "p1", "save_id": "save-1", "text": "When does the gate close?"},
    },
    "streamed": {
        "summary": "The same, streamed",
        "value": {"player_id": "p1", "save_id": "save-1", "text": "When does the gate close?", "stream": True},
    },
    "greeting": {"summary": "Small talk", "value": {"player_id": "p1", "text": "Good morning, guard."}},
    "unknown": {
        "summary": "What the lore does not hold",
        "value": {"player_id": "p1", "text": "Who painted the Mona Lisa?"},
    },
    "hurried": {
        "summary": "No time to think",
        "value": {"player_id": "p1", "text": "Quick, the password!", "deadline_ms": 1},
    },
}


def _dialogue(request: Request) -> Dialogue:
    dialogue: Dialogue = request.app.state.dialogue
    return dialogue


DialogueDep = Annotated[Dialogue, Depends(_dialogue)]
ConversationId = Annotated[str, Path(pattern=ID, max_length=128, description="As a dialogue answered it.")]


async def _criteria(
    player_id: Annotated[str, Query(max_length=128, description="Only this player's.")] = "",
    save_id: Annotated[str, Query(max_length=128, description="Only those of this playthrough.")] = "",
    character: Annotated[str, Query(max_length=128, description="Only those with this character.")] = "",
) -> Criteria:
    return Criteria(player_id=player_id, save_id=save_id, character=character)


CriteriaDep = Annotated[Criteria, Depends(_criteria)]


@router.post(
    "/characters/{character}/dialogue",
    summary="Talk to a character",
    response_model=DialogueResponse,
    openapi_extra=IDEMPOTENT,
    responses={
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **problems(MalformedBody, TooLarge, UnknownModel, ConflictError, IdempotencyMismatch),
    },
)
async def talk(
    request: Request,
    principal: TalkerDep,
    world: WorldId,
    character: CharacterId,
    body: Annotated[DialogueRequest, Body(openapi_examples=EXAMPLES)],
    dialogue: DialogueDep,
    worlds: WorldsDep,
) -> Response:
    """A line in the character's voice, inside the deadline, whatever models and lore do: when they fail, one that the
    character's author wrote, with the reason. Whole, or as server-sent events: `start`, then `delta` and `sentence` for
    each sentence, `usage`, and `done` with the whole answer. A client that leaves ends the model's work."""
    opening = await dialogue.enter(worlds, world, character, body)
    receipt = None
    if opening.trouble is None:
        # In trouble the turn is not kept, so there is nothing that a retry could repeat.
        try:
            receipt = await claim(request, principal, body, deadline=opening.deadline)
        except (DeadlineExceeded, BackendUnavailable) as error:
            opening = dialogue.in_trouble(opening, error)
    return await respond(request, receipt, partial(dialogue.reply, opening), stream=body.stream)


@router.get("/conversations", summary="List conversations")
async def list_conversations(
    _reader: ReaderDep,
    world: WorldDep,
    conversations: ConversationsDep,
    after: After,
    criteria: CriteriaDep,
    limit: Limit = 50,
) -> Page[ConversationSummary]:
    """The conversations of the world that fit all that is given, by id."""
    found = await conversations.list(world.id, criteria, after=after, limit=limit + 1)
    last = await asyncio.gather(*(conversations.last_turn(each) for each in found))
    shown = list(zip(found, last, strict=True))
    return page_of(shown, limit, key=lambda pair: pair[0].id, show=lambda pair: ConversationSummary.of(*pair))


@router.get("/conversations/{conversation_id}", summary="Read a conversation")
async def get_conversation(
    _reader: ReaderDep,
    world: WorldDep,
    conversation_id: ConversationId,
    conversations: ConversationsDep,
    dialogue: DialogueDep,
    after: AfterNumber,
    limit: Limit = 50,
) -> ConversationResponse:
    """Its turns, oldest first, each with the evidence for its line."""
    await dialogue.recorder.caught_up(conversation_id)
    conversation = await conversations.get(world.id, conversation_id)
    turns = await conversations.turns(conversation, after=after or 0, limit=limit + 1)
    page = page_of(turns, limit, key=lambda turn: str(turn.position), show=TurnResponse.of)
    last = await conversations.last_turn(conversation)
    return ConversationResponse.of_turns(conversation, last, page.items, page.next_cursor)


@router.delete("/conversations/{conversation_id}", summary="Delete a conversation", status_code=204)
async def delete_conversation(
    _game: GameDep,
    world: WorldDep,
    conversation_id: ConversationId,
    conversations: ConversationsDep,
    dialogue: DialogueDep,
) -> None:
    """Remove a conversation with all its turns. This cannot be undone."""
    await dialogue.recorder.caught_up(conversation_id)
    await conversations.delete(world.id, conversation_id)
