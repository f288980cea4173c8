"""What goes over the wire when text is generated."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from llmops_api.schemas import Cost, GivenModel, ModelUsed, Timing, Usage, WireModel, WireText

Role = Literal["system", "user", "assistant"]


class MessageIn(GivenModel):
    role: Role
    content: WireText = Field(max_length=200_000)


class ParametersIn(GivenModel):
    """Sampling; what is left out is the provider's choice."""

    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)
    stop_sequences: list[Annotated[WireText, Field(min_length=1, max_length=200)]] = Field([], max_length=16)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)


class ResponseFormatIn(GivenModel):
    """Ask for JSON that fits a schema."""

    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema", description="JSON Schema of the answer.")
    name: str = Field("answer", pattern=r"^[A-Za-z0-9_-]{1,64}$")


class GenerateRequest(GivenModel):
    """`messages`, or `prompt` for a single user message."""

    model: str | None = Field(
        None, max_length=300, description="An alias or `provider:name`; the alias `default` when left out."
    )
    system: WireText | None = Field(None, max_length=200_000)
    messages: list[MessageIn] | None = Field(None, min_length=1, max_length=1000)
    prompt: WireText | None = Field(None, min_length=1, max_length=200_000)
    parameters: ParametersIn = Field(default_factory=ParametersIn)
    response_format: ResponseFormatIn | None = None
    deadline_ms: int | None = Field(
        None, ge=1, le=600_000, description="The answer, or a problem, comes within this time."
    )
    stream: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("send either 'messages' or 'prompt'")
        return self


class GenerateResponse(WireModel):
    id: str
    text: str
    parsed: Any = Field(None, description="The JSON value, when `response_format` asked for one.")
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"]
    model: ModelUsed
    usage: Usage
    cost: Cost | None = Field(description="Null when the settings hold no price for the model.")
    timing: Timing


class ProviderStatus(WireModel):
    name: str
    answers: bool
    detail: str | None = Field(None, description="Why it does not answer.")


class ModelsResponse(WireModel):
    aliases: dict[str, list[str]] = Field(description="Each alias with the models that it tries, in order.")
    providers: list[ProviderStatus]
