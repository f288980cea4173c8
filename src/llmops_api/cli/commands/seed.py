"""`llmops-api seed`."""

import json
from typing import Annotated

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, say
from llmops_api.cli.progress import follow
from llmops_api.cli.reach import reach
from llmops_api.core.seeding import SAMPLE, sample

command = typer.Typer()


@command.command(epilog="Example: llmops-api seed --world my-copy")
def seed(
    world: Annotated[str, typer.Option("--world", "-w", help="The name to load it under.")] = SAMPLE,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Load the sample world."""
    given = sample()
    lore = "\n".join(json.dumps(document) for document in given.lore).encode()
    with reach(url, key) as service:
        service.put(path("worlds", world), given.world)
        job = service.upload(path("worlds", world, "ingests"), lore, "application/x-ndjson")
        result = follow(service, job["job_id"], "lore")["result"]
        for name, sheet in given.characters.items():
            service.put(path("worlds", world, "characters", name), sheet)
    if as_json:
        emit({"world": world, "documents": result["documents"], "characters": list(given.characters)})
    else:
        say(f"{world}: {result['documents']} lore documents; characters {', '.join(given.characters)}.")
