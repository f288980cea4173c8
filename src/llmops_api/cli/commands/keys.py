"""`llmops-api keys`."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, note, say, table
from llmops_api.cli.reach import reach

command = typer.Typer(no_args_is_help=True, add_completion=False, help="Create, list and revoke API keys.")


class Scope(StrEnum):
    GAME = "game"
    WRITER = "writer"
    MODERATOR = "moderator"
    ADMIN = "admin"


@command.command("create", epilog="Example: llmops-api keys create 'game server' --scope game --world emberfall")
def create(
    name: Annotated[str, typer.Argument(help="Who will use it.")],
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeatable.")],
    world: Annotated[str | None, typer.Option("--world", "-w", help="The only world that it may see.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How long it works; for ever when left out.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Create a key and print it, alone on its line; it is not shown again."""
    body: dict[str, Any] = {"name": name, "scopes": scope, "world": world}
    if days is not None:
        body["expires_at"] = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    with reach(url, key) as service:
        created = service.post(path("keys"), body)
    if as_json:
        emit(created)
    else:
        note(f"Created {created['key_id']}. Keep the key now, it is not shown again:")
        say(created["key"])


@command.command("list", epilog="Example: llmops-api keys list")
def list_keys(url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """List the keys; their secrets are kept nowhere."""
    with reach(url, key) as service:
        keys = list(service.items(path("keys")))
    if as_json:
        emit(keys)
        return
    columns = ("key_id", "name", "scopes", "world", "expires_at", "revoked_at")
    table(columns, ([_cell(each[column]) for column in columns] for each in keys))


@command.command("revoke", epilog="Example: llmops-api keys revoke key_5f2c")
def revoke(key_id: str, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Revoke a key."""
    with reach(url, key) as service:
        service.delete(path("keys", key_id))
    if as_json:
        emit({"key_id": key_id, "revoked": True})
    else:
        say(f"Revoked {key_id}.")


def _cell(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
