"""Showing an answer while it streams."""

from collections.abc import Iterable
from typing import Any

from llmops_api.cli.events import Event
from llmops_api.cli.output import say


def speak(events: Iterable[Event], field: str) -> dict[str, Any]:
    """Print the text of a stream as it comes, and give back the data of its `done`, whose `field` is the whole text."""
    said = ""
    for event in events:
        if event.name == "delta":
            said += event.data["text"]
            say(event.data["text"], end="")
        elif event.name == "done":
            say(event.data[field].removeprefix(said) if event.data[field].startswith(said) else "")
            whole: dict[str, Any] = event.data
            return whole
    raise AssertionError("a stream ended without its last event")
