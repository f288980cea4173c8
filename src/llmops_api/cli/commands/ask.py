"""`llmops-api ask`."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any

import typer

from llmops_api.cli.client import path
from llmops_api.cli.events import Event
from llmops_api.cli.options import Json, Key, Kinds, Locale, Model, Tags, Url, World
from llmops_api.cli.output import emit, note, say
from llmops_api.cli.reach import reach
from llmops_api.cli.speech import speak

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api ask 'When does the Ember Gate close?' --world emberfall")
def ask(
    question: str,
    *,
    world: World,
    tag: Tags = None,
    kind: Kinds = None,
    locale: Locale = None,
    model: Model = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask the lore of a world a question.

    What the lore does not hold is refused; that is an answer too, and the exit code is 0.
    """
    body = {
        "question": question,
        "filter": {"tags_any": tag or [], "kinds": kind or []},
        "locale": locale,
        "model": model,
    }
    with reach(url, key) as service, closing(service.events(path("worlds", world, "ask"), body)) as events:
        if as_json:
            *_, done = events
            emit(done.data)
        else:
            _show(events)


def _show(events: Iterable[Event]) -> None:
    answer: dict[str, Any] = speak(events, "answer")
    if answer["refused"]:
        note(f"refused: {answer['reason']}")
    for number, citation in enumerate(answer["citations"], start=1):
        say(f"[{number}] {citation['title']} ({citation['document_id']}): “{citation['quote']}”", style="dim")
