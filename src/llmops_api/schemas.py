"""What several use-cases put on the wire alike."""

import json
import re
import unicodedata
from typing import Annotated, Any, Generic, Self, TypeVar

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from llmops_api.core import models
from llmops_api.ports import chat
from llmops_api.ports.state import holds_nul

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})


def _storable(text: str) -> str:
    """Refuse what no store can keep or no reader can see as text: NUL and lone surrogates."""
    if "\x00" in text:
        raise ValueError("holds a NUL character; remove it")
    if _SURROGATE.search(text):
        raise ValueError("holds half of a surrogate pair; send whole characters")
    return text


def _visible(text: str) -> str:
    """Refuse a text of which nothing would be seen."""
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("has no visible character; send some text")
    return text


def _portable(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what only some readers of JSON take, or some stores keep: NaN, infinities, integers of more than 64 bits,
    very deep nesting, NUL."""
    try:
        encoded = orjson.dumps(value)
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError("holds NaN, an infinity, an integer of over 64 bits, or too many levels") from error
    if holds_nul(encoded):
        raise ValueError("holds a NUL character; remove it")
    return value


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("is not a date and time with its zone, such as 2027-01-31T12:00:00Z")
    return value


WireText = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"format": "text"})]
"""Any text that can be kept."""
VisibleText = Annotated[
    str,
    AfterValidator(_storable),
    AfterValidator(_visible),
    Field(json_schema_extra={"format": "visible-text"}),
]
"""Text of which something can be seen."""
JsonObject = Annotated[dict[str, Any], AfterValidator(_portable)]
"""Any JSON object."""
ModelName = Annotated[WireText, Field(max_length=300, json_schema_extra={"format": "model"})]
"""An alias or `provider:name`."""
Timestamp = Annotated[AwareDatetime, BeforeValidator(_timestamp), Field(strict=False)]
"""A moment as RFC 3339 writes it."""


STEP = "[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*"
ID = f"^{STEP}$"
"""Letters, digits, `.`, `_`, `-`; not dots alone, which clients resolve as steps of a path."""
PATH_ID = f"^{STEP}(/{STEP})*$"
"""The same in steps, as in `monster/aboleth`."""

Locale = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$",
        max_length=35,
        description="Language tag (BCP 47), such as `en` or `pt-BR`.",
    ),
]


class GivenModel(BaseModel):
    """What a caller sends: an unknown field is an error, since it is most often a misspelt one, and so is `"5"` for 5."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        """JSON has one kind of number: 3.0 is the integer 3 (JSON Schema 2020-12, validation, section 6.1.1)."""
        return int(value) if isinstance(value, float) and value.is_integer() else value


Answered = Annotated[
    Any,
    Field(
        exclude=True,
        description="As `GET` answers it. It is passed over, so that an answer can be edited and put back.",
    ),
]
"""A field of an answer in the body of a `PUT`."""


class WireModel(BaseModel):
    """What we answer."""

    model_config = ConfigDict(populate_by_name=True)


class Page(WireModel, Generic[T]):
    """A page of a list."""

    model_config = ConfigDict(json_schema_extra={"description": "A page of the list."})
    items: list[T] = Field(description="At most `limit` of them.")
    next_cursor: str | None = Field(None, description="Send it as `cursor` for the page after this; null at the end.")


class ModelUsed(WireModel):
    """Which model answered: the alias that was asked for, and what it pointed to."""

    alias: str | None = Field(examples=["default"], description="Null when a model was named directly.")
    provider: str = Field(examples=["scripted"], description="Who served it, as the settings name it.")
    name: str = Field(examples=["demo"], description="The provider's own name of the model.")

    @classmethod
    def of(cls, answer: models.Answer) -> Self:
        return cls(alias=answer.alias, provider=answer.ref.provider, name=answer.ref.name)


class Usage(WireModel):
    """Tokens, as the provider counted them."""

    input_tokens: int = Field(0, description="Read by the model, the cached ones too.")
    output_tokens: int = Field(0, description="Written by the model.")
    cache_read_tokens: int = Field(0, description="Of the input: taken from the provider's cache.")
    cache_write_tokens: int = Field(0, description="Of the input: put into the provider's cache.")

    @classmethod
    def of(cls, usage: chat.Usage) -> Self:
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


class Cost(WireModel):
    """What the answer cost, by the prices in the settings."""

    amount: float = Field(description="In units of the currency.")
    currency: str = Field(examples=["USD"], description="ISO 4217 code.")

    @classmethod
    def of(cls, cost: models.Cost | None) -> Self | None:
        return None if cost is None else cls(amount=cost.amount, currency=cost.currency)


class Timing(WireModel):
    """Milliseconds from the moment the request was read."""

    total_ms: float = Field(description="Until the answer was whole.")
    first_token_ms: float | None = Field(None, description="Until the first text came; null when it was not streamed.")


class Delta(WireModel):
    """A piece of text that comes after what was sent before."""

    text: str


class CitationOut(WireModel):
    """Lore that an answer stands on."""

    document_id: str
    title: str
    quote: str = Field(description="A verbatim span of the document.")
    score: float = Field(description="How much of the quote the answer repeats, 0 to 1.")
