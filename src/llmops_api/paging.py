"""Pages of a list: an opaque cursor that is the last key of the page before, and one item more than asked to know the next."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from llmops_api.errors import BadInput, FieldError
from llmops_api.schemas import Page

T = TypeVar("T")
S = TypeVar("S")


async def _after(
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")] = None,
) -> str:
    if not cursor:
        return ""
    try:
        return base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        fault = FieldError("cursor", "is not a cursor", "Send 'next_cursor' of the page before, unchanged.")
        raise BadInput("1 parameter is wrong.", [fault]) from error


After = Annotated[str, Depends(_after)]
"""The key past which the page begins."""
Limit = Annotated[int, Query(ge=1, le=500, description="How many items a page holds at most.")]


def page_of(items: Sequence[S], limit: int, *, key: Callable[[S], str], show: Callable[[S], T]) -> Page[T]:
    """The first `limit` of `items`, shown; a cursor when there are more."""
    shown = items[:limit]
    cursor = base64.urlsafe_b64encode(key(shown[-1]).encode()).decode().rstrip("=") if len(items) > limit else None
    return Page(items=[show(item) for item in shown], next_cursor=cursor)
