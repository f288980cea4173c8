"""What goes over the wire about characters, dialogue and conversations."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from llmops_api.core.characters import Character, CharacterVersion
from llmops_api.core.conversations import Conversation, Reason, SpokenBy, Turn
from llmops_api.schemas import (
    ID,
    PATH_ID,
    Answered,
    CitationOut,
    Cost,
    GivenModel,
    Locale,
    ModelName,
    ModelUsed,
    Usage,
    VisibleText,
    WireModel,
    WireText,
)

LARGEST = 2**53
"""Beyond it, JSON readers disagree about whole numbers (RFC 8259, section 6)."""

Name = Annotated[VisibleText, Field(max_length=100)]
Line = Annotated[VisibleText, Field(max_length=500)]
DocumentId = Annotated[str, Field(pattern=PATH_ID, max_length=200)]
CallerId = Annotated[VisibleText, Field(min_length=1, max_length=128)]
FactName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
FactValue = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-LARGEST, le=LARGEST)]
    | Annotated[StrictFloat, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
    | Annotated[WireText, Field(max_length=500)]
)


class KnowledgeIn(GivenModel):
    """The lore that the character knows: every document that has one of these. All empty: the whole world's lore."""

    tags: list[Name] = Field([], max_length=200, examples=[["common", "watch"]], description="What has one of these.")
    kinds: list[Name] = Field([], max_length=200, examples=[["place"]], description="What is of one of these.")
    document_ids: list[DocumentId] = Field(
        [], max_length=1000, examples=[["item/guest-lamp"]], description="These, whatever they are."
    )


class VoiceIn(GivenModel):
    """How the character speaks."""

    style: WireText = Field("", max_length=4000, description="The manner of speech, in words for a model.")


class CharacterRequest(GivenModel):
    """A character in the words of the Character Card, and in ours. `{{char}}` and `{{user}}` are filled in."""

    name: VisibleText = Field(max_length=200, description="As players see it.", examples=["Corporal Joss Thrupp"])
    description: WireText = Field("", max_length=20_000, description="Who the character is.")
    personality: WireText = Field("", max_length=20_000, description="What moves the character.")
    scenario: WireText = Field("", max_length=20_000, description="Where the player finds the character.")
    greeting: WireText = Field("", max_length=4000, description="The character's first words.")
    example_dialogue: WireText = Field(
        "", max_length=40_000, description="Lines that show the voice, as `{{user}}: ...` and `{{char}}: ...`."
    )
    tags: list[Name] = Field([], max_length=100, description="For the studio's own lists.")
    knowledge: KnowledgeIn = Field(KnowledgeIn(), description="What the character knows of the lore.")
    fallback_lines: list[Line] = Field(
        [], max_length=200, description="Said when no model answers well or in time; plain lines of ours when left out."
    )
    unknown_lines: list[Line] = Field(
        [], max_length=200, description="Said when the lore does not hold what was asked; plain ones when left out."
    )
    voice: VoiceIn = Field(VoiceIn(), description="How the character speaks.")
    locales: list[Locale] = Field(
        [], max_length=50, description="The languages that the character speaks, the first one best; all when empty."
    )
    character: Answered = None
    version: Answered = None
    updated_at: Answered = None

    def as_character(self, character_id: str) -> Character:
        """The character of the core; what is listed twice counts once."""
        card = self.model_dump()
        for holder in (card, card["knowledge"]):
            for name, value in holder.items():
                if isinstance(value, list):
                    holder[name] = list(dict.fromkeys(value))
        return Character.of_card(character_id, card)


class CharacterResponse(WireModel):
    """A character as it stands at one version."""

    character: str = Field(description="The character's id.")
    name: str = Field(description="As players see it.")
    description: str = Field(description="Who the character is.")
    personality: str = Field(description="What moves the character.")
    scenario: str = Field(description="Where the player finds the character.")
    greeting: str = Field(description="The character's first words.")
    example_dialogue: str = Field(description="Lines that show the voice.")
    tags: list[str] = Field(description="For the studio's own lists.")
    knowledge: KnowledgeIn = Field(description="What the character knows of the lore.")
    fallback_lines: list[str] = Field(description="Said when no model answers well or in time.")
    unknown_lines: list[str] = Field(description="Said when the lore does not hold what was asked.")
    voice: VoiceIn = Field(description="How the character speaks.")
    locales: list[str] = Field(description="The languages that the character speaks, the first one best.")
    version: int = Field(description="Grows with every change; a dialogue names the one that spoke.")
    updated_at: datetime | None = Field(description="When this version was written.")

    @classmethod
    def of(cls, character: Character) -> "CharacterResponse":
        words = character.fields | {"voice": {"style": character.voice}}
        return cls(character=character.id, version=character.version, updated_at=character.updated_at, **words)


class CharacterVersionResponse(WireModel):
    """One version of a character."""

    version: int = Field(description="For `?version=`.")
    updated_at: datetime = Field(description="When it was written.")

    @classmethod
    def of(cls, version: CharacterVersion) -> "CharacterVersionResponse":
        return cls(version=version.version, updated_at=version.updated_at)


class DialogueRequest(GivenModel):
    """What a player says to a character."""

    player_id: CallerId = Field(description="The game's own id of the player.", examples=["p1"])
    save_id: CallerId | None = Field(None, description="The playthrough.", examples=["save-1"])
    conversation_id: str | None = Field(
        None, pattern=ID, max_length=128, description="To go on with a conversation; left out, a new one begins."
    )
    text: VisibleText = Field(max_length=2000, description="The player's line.", examples=["When does the gate close?"])
    locale: Locale | None = Field(None, description="The player's language; the world's when left out.")
    facts: dict[FactName, FactValue] = Field(
        {},
        max_length=64,
        description="What is true at this moment, by name. The model reads it as data, and it is kept with the turn.",
        examples=[{"place": "gate", "hour": 21}],
        json_schema_extra={"additionalProperties": False},
    )
    deadline_ms: int | None = Field(None, ge=1, le=120_000, description="The answer is out by then, whatever happens.")
    model: ModelName | None = Field(None, description="An alias or `provider:name`; else the world's choice.")
    stream: bool = Field(False, description="Answer with server-sent events.")


class Start(WireModel):
    """The first event: which turn this will be."""

    conversation_id: str = Field(description="To go on with the conversation.")
    turn_id: str = Field(description="Of this exchange.")
    line_id: str = Field(description="Of the character's line.")


class SentenceOut(WireModel):
    """A whole sentence, ready to be spoken."""

    index: int = Field(description="From 0.")
    text: str = Field(description="Spoken words alone.")


class DialogueVersions(WireModel):
    """What made the line."""

    character: int = Field(description="The character's version.")
    prompt: str | None = Field(description="`name@version`; null when no model was asked.")
    lore: str | None = Field(description="The state of the world's lore; null when it could not be searched.")


class DialogueTiming(WireModel):
    """Milliseconds; null for what did not happen."""

    total_ms: float = Field(description="Until the line was whole.")
    first_sentence_ms: float | None = Field(None, description="Until the first sentence could be spoken.")
    retrieval_ms: float | None = Field(None, description="Spent searching.")
    model_ms: float | None = Field(None, description="Spent by the model.")


class SpokenLine(WireModel):
    """A character's line, and the evidence for it."""

    turn_id: str = Field(description="Of this exchange.")
    line_id: str = Field(description="Of the character's line.")
    text: str = Field(description="What the character says: spoken words alone.")
    sentences: list[SentenceOut] = Field(description="The same, sentence by sentence.")
    spoken_by: SpokenBy = Field(description="Who made the line: a model, or the character's author.")
    reason: Reason | None = Field(description="Why no model made it, or why it ends early; null when all went well.")
    citations: list[CitationOut] = Field(description="The lore that the line stands on.")
    versions: DialogueVersions
    model: ModelUsed | None = Field(description="Null when no model spoke.")
    usage: Usage = Field(description="Zeros when the provider did not say.")
    cost: Cost | None = Field(description="Null when no model spoke, or the settings hold no price for it.")
    timing: DialogueTiming


class DialogueResponse(SpokenLine):
    """The answer to a player's line; there always is one, and `reason` says when it is not the model's."""

    conversation_id: str = Field(description="To go on with the conversation.")

    @classmethod
    def of_turn(cls, conversation_id: str, turn: Turn) -> "DialogueResponse":
        return cls(conversation_id=conversation_id, **_spoken(turn))


class TurnResponse(SpokenLine):
    """One exchange of a conversation."""

    position: int = Field(description="From 1.")
    player_text: str = Field(description="What the player said.")
    locale: str = Field(description="The language of the line.")
    facts: dict[str, Any] = Field(description="What was true at that moment, as the game sent it.")
    cancelled: bool = Field(description="Whether the client left; `text` is then the part that had been sent.")
    recorded_at: datetime | None = Field(description="When the turn was written.")

    @classmethod
    def of(cls, turn: Turn) -> "TurnResponse":
        return cls(
            position=turn.position,
            player_text=turn.player_text,
            locale=turn.locale,
            facts=dict(turn.facts),
            cancelled=turn.cancelled,
            recorded_at=turn.recorded_at,
            **_spoken(turn),
        )


class ConversationSummary(WireModel):
    """Who speaks with whom, and how far they are."""

    conversation_id: str = Field(description="As a dialogue answered it.")
    character: str = Field(description="The character's id.")
    player_id: str = Field(description="The game's own id of the player.")
    save_id: str | None = Field(description="The playthrough; null when none was named.")
    created_at: datetime
    updated_at: datetime | None = Field(description="When the last turn was written.")
    turn_count: int = Field(description="How many exchanges there were.")

    @classmethod
    def of(cls, conversation: Conversation, last: Turn | None) -> "ConversationSummary":
        return cls(**_summary(conversation, last))


class ConversationResponse(ConversationSummary):
    """A conversation with a page of its turns, oldest first."""

    turns: list[TurnResponse] = Field(description="At most `limit` of them.")
    next_cursor: str | None = Field(description="For `?cursor=`: the turns after these; null at the end.")

    @classmethod
    def of_turns(
        cls, conversation: Conversation, last: Turn | None, turns: list[TurnResponse], next_cursor: str | None
    ) -> "ConversationResponse":
        return cls(**_summary(conversation, last), turns=turns, next_cursor=next_cursor)


def _spoken(turn: Turn) -> dict[str, Any]:
    sentences = [SentenceOut(index=index, text=text) for index, text in enumerate(turn.sentences)]
    names = ("turn_id", "line_id", "text", "spoken_by", "reason", "citations")
    evidence = ("versions", "model", "usage", "cost", "timing")
    return {name: getattr(turn, name) for name in (*names, *evidence)} | {"sentences": sentences}


def _summary(conversation: Conversation, last: Turn | None) -> dict[str, Any]:
    return {
        "conversation_id": conversation.id,
        "character": conversation.character,
        "player_id": conversation.player_id,
        "save_id": conversation.save_id or None,
        "created_at": conversation.created_at,
        "updated_at": last.recorded_at if last else None,
        "turn_count": last.position if last else 0,
    }
