"""Waiting no longer than there is time."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_LATE: set[asyncio.Task[Any]] = set()
"""What is still under way, since an event loop itself does not hold on to its tasks."""


async def within(deadline: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, or `TimeoutError` at the deadline, a moment of `time.monotonic()`.

    For reads, which are short: late ones are left to end by themselves, since breaking one off costs the store its
    connection, and waiting until it has been broken off costs the time that there is not.
    """
    task = asyncio.create_task(work)
    _LATE.add(task)
    task.add_done_callback(_look_at)
    done, _ = await asyncio.wait({task}, timeout=max(0.0, deadline - time.monotonic()))
    if not done:
        raise TimeoutError
    return task.result()


def _look_at(task: asyncio.Task[Any]) -> None:
    """Take note of a late failure, which asyncio would otherwise report as overlooked."""
    _LATE.discard(task)
    if not task.cancelled():
        task.exception()
