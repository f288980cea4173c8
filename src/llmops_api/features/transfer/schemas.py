"""What a world's file must hold to be taken, line by line, and what its import answers.

The shapes are those of `format_version` 1, with the limits alone without which what came in could not be read again.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from llmops_api.core.conversations import Reason, SpokenBy
from llmops_api.core.world_files import END, FORMAT, FORMAT_VERSION, Kind
from llmops_api.schemas import (
    ID,
    PATH_ID,
    STEP,
    CitationOut,
    Cost,
    GivenModel,
    JsonObject,
    Locale,
    ModelUsed,
    Timestamp,
    Usage,
    VisibleText,
    WireModel,
    WireText,
)

LARGEST = 2**53

Id = Annotated[str, Field(pattern=ID, max_length=128)]
DocumentId = Annotated[str, Field(pattern=PATH_ID, max_length=200)]
ListenerId = Annotated[str, Field(pattern=f"^{STEP}/[0-9a-f]{{32}}$", max_length=200)]
Name = Annotated[VisibleText, Field(max_length=100)]


class Header(GivenModel):
    """The first line."""

    format: Literal["llmops-api world"] = Field(description=f"`{FORMAT}`.")
    format_version: int = Field(ge=1, le=FORMAT_VERSION, description="How the lines are to be read.")
    world: Id = Field(description="What the world was called where it comes from.")


class End(GivenModel):
    """The last line."""

    kind: Literal["end"] = Field(description=f"`{END}`.")
    counts: dict[str, int] = Field(description="How many lines there are of each kind.")
    sha256: str = Field(description="Of all lines before this one.")


class _Line(GivenModel):
    kind: Kind = Field(strict=False)
    number: int = Field(ge=1, le=LARGEST)
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]


class _DialogueDefaults(GivenModel):
    deadline_ms: int | None = None
    history_turns: int | None = None
    model: WireText | None = None


class _World(GivenModel):
    title: WireText
    description: WireText = ""
    locale: Locale = "en"
    dialogue: _DialogueDefaults = _DialogueDefaults()
    gate_threshold: float | None = None


class _Document(GivenModel):
    title: WireText
    text: WireText
    kind: WireText = ""
    tags: list[WireText]
    keys: list[WireText]
    importance: int = 3
    locale: Locale | Literal[""] = ""
    metadata: JsonObject = Field({})


class _Knowledge(GivenModel):
    tags: list[Name] = Field([], max_length=200)
    kinds: list[Name] = Field([], max_length=200)
    document_ids: list[DocumentId] = Field([], max_length=1000)


class _Character(GivenModel):
    name: WireText
    description: WireText = ""
    personality: WireText = ""
    scenario: WireText = ""
    greeting: WireText = ""
    example_dialogue: WireText = ""
    tags: list[WireText] = Field([])
    knowledge: _Knowledge
    fallback_lines: list[WireText] = Field([])
    unknown_lines: list[WireText] = Field([])
    voice: WireText = ""
    locales: list[Locale] = Field([])


class _Conversation(GivenModel):
    character: Id
    player_id: WireText
    save_id: WireText = ""
    created_at: Timestamp


class _Versions(GivenModel):
    character: int
    prompt: WireText | None
    lore: WireText | None


class _Timing(GivenModel):
    total_ms: float
    first_sentence_ms: float | None = None
    retrieval_ms: float | None = None
    model_ms: float | None = None


class _Turn(GivenModel):
    turn_id: WireText
    line_id: WireText
    player_text: WireText
    text: WireText
    sentences: list[WireText]
    spoken_by: SpokenBy = Field(strict=False)
    reason: Reason | None = Field(strict=False)
    locale: WireText
    citations: list[CitationOut]
    versions: _Versions
    model: ModelUsed | None
    usage: Usage
    cost: Cost | None
    timing: _Timing
    facts: JsonObject = Field({})
    cancelled: bool = False


class _WorldLine(_Line):
    id: Id
    value: _World


class _DocumentLine(_Line):
    id: DocumentId
    value: _Document | None


class _CharacterLine(_Line):
    id: Id
    value: _Character | None


class _CharacterVersionLine(_Line):
    id: Id
    value: _Character


class _ConversationLine(_Line):
    id: Id
    value: _Conversation


class _TurnLine(_Line):
    id: Id
    value: _Turn


class _LastAuthoredLine(_Line):
    id: ListenerId
    value: dict[str, WireText]


LINES: Mapping[Kind, type[GivenModel]] = {
    Kind.WORLD: _WorldLine,
    Kind.DOCUMENT: _DocumentLine,
    Kind.CHARACTER: _CharacterLine,
    Kind.CHARACTER_VERSION: _CharacterVersionLine,
    Kind.CONVERSATION: _ConversationLine,
    Kind.TURN: _TurnLine,
    Kind.LAST_AUTHORED: _LastAuthoredLine,
}
"""What stands between the first line and the last."""


class ImportStarted(WireModel):
    """A file was taken whole; `GET /v1/jobs/{job_id}` tells how its import goes."""

    job_id: str = Field(description="For `GET /v1/jobs/{job_id}`.")
    kind: str = Field(examples=["import"], description="Always `import`.")
    status: str = Field(examples=["queued"], description="As a job has it.")
    counts: dict[str, int] = Field(
        examples=[{"world": 1, "lore-document": 64, "character": 5}], description="What the file holds, by kind."
    )
