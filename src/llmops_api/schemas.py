"""What several use-cases put on the wire alike."""

import re
import unicodedata
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from llmops_api.core import models
from llmops_api.ports import chat

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")


def _storable(text: str) -> str:
    """Refuse what no store can keep or no reader can see as text: NUL and lone surrogates."""
    if "\x00" in text:
        raise ValueError("holds a NUL character; remove it")
    if _SURROGATE.search(text):
        raise ValueError("holds half of a surrogate pair; send whole characters")
    return text


def _visible(text: str) -> str:
    """Refuse a text of which nothing would be seen."""
    if all(unicodedata.category(character)[0] in "ZC" for character in text):
        raise ValueError("has no visible character; send some text")
    return text


WireText = Annotated[str, AfterValidator(_storable)]
"""Any text that can be kept."""
VisibleText = Annotated[str, AfterValidator(_storable), AfterValidator(_visible)]
"""Text of which something can be seen."""


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
    """What a caller sends: an unknown field is an error, since it is most often a misspelt one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class WireModel(BaseModel):
    """What we answer."""

    model_config = ConfigDict(populate_by_name=True)


class Page(WireModel, Generic[T]):
    """A page of a list; the next one is at `?cursor=` with `next_cursor`, until it is null."""

    items: list[T]
    next_cursor: str | None = None


class ModelUsed(WireModel):
    """Which model answered: the alias that was asked for, and what it pointed to."""

    alias: str | None = Field(examples=["default"])
    provider: str = Field(examples=["scripted"])
    name: str = Field(examples=["demo"])

    @classmethod
    def of(cls, answer: models.Answer) -> Self:
        return cls(alias=answer.alias, provider=answer.ref.provider, name=answer.ref.name)


class Usage(WireModel):
    """Tokens; `input_tokens` counts the cached ones too."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @classmethod
    def of(cls, usage: chat.Usage) -> Self:
        return cls(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


class Cost(WireModel):
    amount: float
    currency: str

    @classmethod
    def of(cls, cost: models.Cost | None) -> Self | None:
        return None if cost is None else cls(amount=cost.amount, currency=cost.currency)


class Timing(WireModel):
    """Milliseconds from the moment the request was read."""

    total_ms: float
    first_token_ms: float | None = None


class Delta(WireModel):
    """A piece of text that comes after what was sent before."""

    text: str
