"""Pages of a list: a cursor that is the last key of the page before, and one item more than asked to know the next."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Query

from llmops_api.schemas import STEP, Page

T = TypeVar("T")
S = TypeVar("S")

_CURSOR = "`next_cursor` of the page before."


async def _after(
    cursor: Annotated[str, Query(pattern=f"^({STEP}(/{STEP})*)?$", max_length=200, description=_CURSOR)] = "",
) -> str:
    return cursor


async def _after_number(
    cursor: Annotated[str, Query(pattern="^[0-9]{0,18}$", description=_CURSOR)] = "",
) -> int | None:
    return int(cursor) if cursor else None


After = Annotated[str, Depends(_after)]
"""The key past which the page begins; empty at the start."""
AfterNumber = Annotated[int | None, Depends(_after_number)]
"""The number past which the page begins, in lists that are counted."""
Limit = Annotated[int, Query(ge=1, le=500, description="How many items a page holds at most.")]


def page_of(items: Sequence[S], limit: int, *, key: Callable[[S], str], show: Callable[[S], T]) -> Page[T]:
    """The first `limit` of `items`, shown; a cursor when there are more."""
    shown = items[:limit]
    return Page(items=[show(item) for item in shown], next_cursor=key(shown[-1]) if len(items) > limit else None)
