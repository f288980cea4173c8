"""`llmops-api chat`."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Annotated, Any

import typer

from llmops_api.cli.client import Service, path
from llmops_api.cli.events import Event
from llmops_api.cli.failures import Refused, WrongUse
from llmops_api.cli.options import Json, Key, Locale, Model, Url, World
from llmops_api.cli.output import emit, note, say
from llmops_api.cli.reach import reach
from llmops_api.cli.speech import speak

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: echo 'When does the gate close?' | llmops-api chat guard --world emberfall")
def chat(
    character: str,
    *,
    world: World,
    player: Annotated[str, typer.Option(help="Who is talking (player_id).")] = "tester",
    save: Annotated[str | None, typer.Option(help="The playthrough (save_id).")] = None,
    locale: Locale = None,
    model: Model = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Talk to a character.

    Reads a line at a time. /new begins another conversation, /quit or Ctrl-D leaves; Ctrl-C cuts the character short.
    With --json every event of the stream is a line.
    """
    body = {"player_id": player, "save_id": save, "locale": locale, "model": model}
    with reach(url, key) as service:
        _converse(service, path("worlds", world, "characters", character, "dialogue"), body, as_json=as_json)


def _converse(service: Service, target: str, body: dict[str, Any], *, as_json: bool) -> None:
    given = {name: value for name, value in body.items() if value is not None}
    conversation: dict[str, str] = {}
    prompt = "> " if sys.stdin.isatty() and not as_json else ""
    for line in _lines(prompt):
        if line == "/quit":
            return
        if line == "/new":
            conversation = {}
            note("A new conversation.")
            continue
        _turn(service, target, {**given, **conversation, "text": line}, conversation, as_json=as_json)


def _turn(service: Service, target: str, body: dict[str, Any], conversation: dict[str, str], *, as_json: bool) -> None:
    """One exchange; puts into `conversation` what the next one needs to join it, however this one ends."""
    try:
        with closing(service.events(target, body)) as events:
            heard = _joining(events, conversation)
            answer = _printed(heard) if as_json else speak(heard, "text")
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        note("")
    except Refused as refused:
        if not sys.stdin.isatty():
            raise
        note(f"error: {refused}")
    else:
        if not as_json:
            _footnotes(answer)


def _joining(events: Iterable[Event], conversation: dict[str, str]) -> Iterator[Event]:
    for event in events:
        if event.name == "start":
            conversation["conversation_id"] = event.data["conversation_id"]
        yield event


def _printed(events: Iterable[Event]) -> dict[str, Any]:
    """Print every event as JSON, and give back the data of the last."""
    answer: dict[str, Any] = {}
    for event in events:
        emit({"event": event.name, "data": event.data})
        answer = event.data
    return answer


def _footnotes(answer: dict[str, Any]) -> None:
    sources = ", ".join(f"{each['title']} ({each['document_id']})" for each in answer["citations"])
    if sources:
        say(f"  from {sources}", style="dim")
    if answer["reason"]:
        say(f"  {answer['spoken_by']}: {answer['reason']}", style="dim")


def _lines(prompt: str) -> Iterator[str]:
    """What the player says, never an empty line. Raises `WrongUse` for what is not text."""
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            return
        except UnicodeDecodeError as error:
            raise WrongUse(f"standard input is not {error.encoding}.") from error
        if line:
            yield line
