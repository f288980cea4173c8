"""`llmops-api models`."""

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, say, table
from llmops_api.cli.reach import reach

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api models")
def models(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show the models and whether their providers answer."""
    with reach(url, key) as service:
        found = service.get(path("models"))
    if as_json:
        emit(found)
        return
    table(("alias", "models, in order"), ((alias, ", ".join(names)) for alias, names in found["aliases"].items()))
    say("")
    states = ((each["name"], "yes" if each["answers"] else "no", each.get("detail")) for each in found["providers"])
    table(("provider", "answers", "why not"), states)
