"""How long an answer took, piece by piece, and how long it may take."""

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

from llmops_api.errors import DeadlineExceeded

T = TypeVar("T")


class Stopwatch:
    """Starts when it is made, or at `started`, a moment of `time.monotonic()`. Marks keep the first moment that they are set; all results are milliseconds."""

    def __init__(self, deadline_ms: int | None = None, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.deadline = None if deadline_ms is None else self.started + deadline_ms / 1000
        """A moment of `time.monotonic()`, None for none."""
        self._marks: dict[str, float] = {}

    def mark(self, name: str) -> None:
        """Remember this moment, unless the mark is set already."""
        self._marks.setdefault(name, time.monotonic())

    def at(self, name: str) -> float | None:
        """From the start to the mark; None when it was never set."""
        moment = self._marks.get(name)
        return None if moment is None else round((moment - self.started) * 1000, 3)

    @property
    def total(self) -> float:
        """From the start until now."""
        return round((time.monotonic() - self.started) * 1000, 3)


async def within(deadline: float | None, work: Awaitable[T]) -> T:
    """The result of `work`. Raises `DeadlineExceeded` at the deadline, a moment of `time.monotonic()`; None for none."""
    try:
        async with asyncio.timeout(None if deadline is None else max(0.0, deadline - time.monotonic())) as limit:
            return await work
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineExceeded("The answer was not ready within `deadline_ms`.") from error
