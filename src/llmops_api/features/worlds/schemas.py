"""What goes over the wire about worlds."""

from typing import Any

from pydantic import Field

from llmops_api.core.worlds import World
from llmops_api.schemas import Answered, GivenModel, Locale, ModelName, VisibleText, WireModel, WireText


class DialogueDefaults(GivenModel):
    """How NPCs of this world answer unless a request says otherwise."""

    deadline_ms: int | None = Field(None, ge=1, le=120_000, description="Every line is out within this time.")
    history_turns: int | None = Field(None, ge=0, le=100, description="How many past turns the model sees.")
    model: ModelName | None = Field(None, description="An alias or `provider:name`.")


class WorldRequest(GivenModel):
    """A world as its studio describes it."""

    title: VisibleText = Field(max_length=200, examples=["Saltmarsh"], description="As people see it.")
    description: WireText = Field("", max_length=10_000, description="What the game is, for people.")
    locale: Locale = "en"
    dialogue: DialogueDefaults = Field(DialogueDefaults(), description="How its NPCs answer.")
    gate_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Where the lore stops holding an answer; `llmops-api calibrate` finds one for your lore.",
    )
    world: Answered = None
    version: Answered = None


class WorldResponse(WireModel):
    """A world as it stands."""

    world: str = Field(description="The world's id.")
    title: str
    description: str = Field(description="What the game is, for people.")
    locale: str = Field(description="The language of its lore, unless a document says otherwise.")
    dialogue: dict[str, Any] = Field(description="How its NPCs answer; only what was set.")
    gate_threshold: float | None = Field(description="Where the lore stops holding an answer; null: our calibration.")
    version: int = Field(description="Grows with every change; also the `ETag`.")

    @classmethod
    def of(cls, world: World) -> "WorldResponse":
        return cls(world=world.id, version=world.version, **world.fields)
