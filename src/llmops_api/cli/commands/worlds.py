"""`llmops-api worlds`."""

from typing import Annotated

import typer

from llmops_api.cli.client import path
from llmops_api.cli.failures import CheckFailed
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, say, table
from llmops_api.cli.reach import reach

command = typer.Typer(no_args_is_help=True, add_completion=False, help="List, create and delete worlds.")


@command.command("list", epilog="Example: llmops-api worlds list")
def list_worlds(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List the worlds."""
    with reach(url, key) as service:
        worlds = list(service.items(path("worlds")))
    if as_json:
        emit(worlds)
    else:
        table(("world", "title", "locale"), ((each["world"], each["title"], each["locale"]) for each in worlds))


@command.command("create", epilog="Example: llmops-api worlds create mygame --title 'My Game'")
def create(
    world: str,
    *,
    title: Annotated[str | None, typer.Option(help="The id when left out.")] = None,
    description: Annotated[str, typer.Option()] = "",
    locale: Annotated[str, typer.Option(help="The language of its lore (BCP 47).")] = "en",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Create a world; one that is there already is left as it is, and the exit code is 1."""
    body = {"title": title or world, "description": description, "locale": locale}
    with reach(url, key) as service:
        if service.has(path("worlds", world)):
            raise CheckFailed(f"there is a world {world} already.")
        created = service.put(path("worlds", world), body)
    if as_json:
        emit(created)
    else:
        say(f"Created {world}.")


@command.command("delete", epilog="Example: llmops-api worlds delete mygame --yes")
def delete(
    world: str,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Delete a world with its lore, its characters and its conversations."""
    if not yes:
        typer.confirm(f"Delete {world} with its lore, its characters and its conversations?", abort=True, err=True)
    with reach(url, key) as service:
        service.delete(path("worlds", world))
    if as_json:
        emit({"world": world, "deleted": True})
    else:
        say(f"Deleted {world}.")
