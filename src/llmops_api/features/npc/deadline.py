"""Waiting no longer than there is time."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(deadline: float, work: Awaitable[T]) -> T:
    """The result of `work`, or `TimeoutError` at the deadline, a moment of `time.monotonic()`."""
    async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
        return await work
