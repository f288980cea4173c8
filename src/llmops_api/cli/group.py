"""The commands by name; one is loaded only when it is called, so that `--help` is quick."""

from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

SUMMARIES = {
    "serve": "Run the service.",
    "seed": "Load the sample world.",
    "ingest": "Load lore from files or folders.",
    "search": "Search the lore of a world.",
    "ask": "Ask the lore of a world a question.",
    "chat": "Talk to a character.",
    "worlds": "List, create and delete worlds.",
    "keys": "Create, list and revoke API keys.",
    "export": "Write a world to a file.",
    "import": "Bring a world in from its file.",
    "jobs": "Look at a job, or cancel it.",
    "models": "Show the models and whether their providers answer.",
    "reindex": "Build the lore index of a world anew.",
    "calibrate": "Find where the lore stops holding an answer.",
}
"""Each is a module of `commands` (with `_` behind a word that Python keeps for itself) whose `command` is a Typer application with this help."""


class LazyGroup(TyperGroup):
    """A group whose commands are their summaries until one is resolved."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: TyperCommand(name, help=summary) for name, summary in SUMMARIES.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else stub, rest


def load(name: str) -> Any:
    """The command behind a name of `SUMMARIES`."""
    module = f"{name}_" if iskeyword(name) else name
    return get_command(import_module(f"llmops_api.cli.commands.{module}").command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("llmops-api"))
        raise typer.Exit


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback(
    epilog="Exit codes: 0 done, 1 a failed check, 2 wrong use, 3 the service or one of its backends is out of reach."
)
def llmops_api(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
) -> None:
    """The service between game servers and language models.

    Commands work on the local data folder (LLMOPS_DATA_DIR), or on the service at --url with --key.
    """
