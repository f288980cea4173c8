"""How long an answer took, on a clock that stands until it is moved."""

import time

import pytest

from llmops_api.core.stopwatch import Stopwatch


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock of the machine, read from this list's only item."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def test_times_are_milliseconds_from_the_start(seconds: list[float]) -> None:
    watch = Stopwatch()
    seconds[0] += 0.0125
    watch.mark("first")
    seconds[0] += 0.5

    assert (watch.at("first"), watch.total) == (12.5, 512.5)


def test_a_mark_keeps_its_first_moment(seconds: list[float]) -> None:
    watch = Stopwatch()
    watch.mark("first")
    seconds[0] += 1
    watch.mark("first")

    assert watch.at("first") == 0


def test_a_mark_that_was_never_set_is_none() -> None:
    assert Stopwatch().at("first") is None


def test_a_deadline_is_a_moment_of_the_machines_clock(seconds: list[float]) -> None:
    assert Stopwatch(2500).deadline == 102.5
    assert Stopwatch().deadline is None
