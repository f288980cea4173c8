"""What goes over the wire when text is generated."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from llmops_api.schemas import Cost, GivenModel, JsonObject, ModelName, ModelUsed, Timing, Usage, WireModel, WireText

Role = Literal["system", "user", "assistant"]


class MessageIn(GivenModel):
    """One message of a conversation with a model."""

    role: Role = Field(description="Who speaks.")
    content: WireText = Field(max_length=200_000, description="What is said.")


class ParametersIn(GivenModel):
    """Sampling; what is left out is the provider's choice."""

    temperature: float | None = Field(None, ge=0, le=2, description="How freely words are chosen; 0: the likeliest.")
    top_p: float | None = Field(None, gt=0, le=1, description="Choose among the likeliest words of this probability.")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, description="The answer ends there at the latest.")
    stop_sequences: list[Annotated[WireText, Field(min_length=1, max_length=200)]] = Field(
        [], max_length=16, description="The answer ends before the first of these."
    )
    seed: int | None = Field(
        None, ge=-(2**53), le=2**53, description="The same one tends to give the same answer, where providers heed it."
    )


class ResponseFormatIn(GivenModel):
    """Ask for JSON that fits a schema."""

    type: Literal["json_schema"] = Field(description="The only kind there is.")
    json_schema: JsonObject = Field(alias="schema", description="JSON Schema of the answer.")
    name: str = Field("answer", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="What the model is told that it makes.")


class GenerateRequest(GivenModel):
    """`messages`, or `prompt` for a single user message."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["prompt"], "properties": {"prompt": {"type": "string"}, "messages": {"type": "null"}}},
                {"required": ["messages"], "properties": {"messages": {"type": "array"}, "prompt": {"type": "null"}}},
            ]
        }
    )

    model: ModelName | None = Field(None, description="An alias or `provider:name`; the alias `default` when left out.")
    system: WireText | None = Field(None, max_length=200_000, description="What the model is and how it should answer.")
    messages: list[MessageIn] | None = Field(
        None, min_length=1, max_length=1000, description="The conversation so far, oldest first."
    )
    prompt: WireText | None = Field(None, min_length=1, max_length=200_000, description="What to answer.")
    parameters: ParametersIn = Field(default_factory=ParametersIn, description="Sampling.")
    response_format: ResponseFormatIn | None = Field(None, description="Null: plain text.")
    deadline_ms: int | None = Field(
        None, ge=1, le=600_000, description="The answer, or a problem, comes within this time."
    )
    stream: bool = Field(False, description="Answer with server-sent events.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("send either 'messages' or 'prompt'")
        return self


class GenerateResponse(WireModel):
    """The whole answer of a model."""

    id: str = Field(description="Of this answer.")
    text: str = Field(description="What the model wrote.")
    parsed: Any = Field(None, description="The JSON value, when `response_format` asked for one.")
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] = Field(
        description="`stop`: it had finished; `length`: `max_tokens` was reached; `content_filter`: the provider cut it."
    )
    model: ModelUsed
    usage: Usage
    cost: Cost | None = Field(description="Null when the settings hold no price for the model.")
    timing: Timing


class ProviderStatus(WireModel):
    """One provider, as it is at this moment."""

    name: str = Field(examples=["scripted"], description="As in `provider:name`.")
    answers: bool = Field(description="Whether it answered just now.")
    detail: str | None = Field(None, description="Why it does not answer.")


class ModelsResponse(WireModel):
    """What can be asked, and by which names."""

    aliases: dict[str, list[str]] = Field(description="Each alias with the models that it tries, in order.")
    providers: list[ProviderStatus] = Field(description="Every provider of the settings.")
