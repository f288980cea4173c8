"""What goes over the wire about worlds."""

from typing import Any

from pydantic import Field

from llmops_api.core.worlds import World
from llmops_api.schemas import GivenModel, Locale, VisibleText, WireModel, WireText


class DialogueDefaults(GivenModel):
    """How NPCs of this world answer unless a request says otherwise."""

    deadline_ms: int | None = Field(None, ge=1, le=120_000, description="Every line is out within this time.")
    history_turns: int | None = Field(None, ge=0, le=100, description="How many past turns the model sees.")
    model: str | None = Field(None, max_length=300, description="An alias or `provider:name`.")


class WorldRequest(GivenModel):
    """A world as its studio describes it."""

    title: VisibleText = Field(max_length=200, examples=["Emberfall"])
    description: WireText = Field("", max_length=10_000)
    locale: Locale = "en"
    dialogue: DialogueDefaults = DialogueDefaults()
    gate_threshold: float | None = Field(
        None,
        ge=-100,
        le=100,
        description="Where the lore stops holding an answer; `llmops-api calibrate` finds one for your lore.",
    )


class WorldResponse(WireModel):
    world: str
    title: str
    description: str
    locale: str
    dialogue: dict[str, Any]
    gate_threshold: float | None
    version: int

    @classmethod
    def of(cls, world: World) -> "WorldResponse":
        return cls(world=world.id, version=world.version, **world.fields)
