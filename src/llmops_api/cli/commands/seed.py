"""`llmops-api seed`."""

import json
from dataclasses import replace
from typing import Annotated

import typer

from llmops_api.cli.client import Service, path
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import counted, emit, note, say
from llmops_api.cli.progress import follow
from llmops_api.cli.reach import reach
from llmops_api.core.seeding import SAMPLE, Sample, sample

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api seed --world my-copy")
def seed(
    world: Annotated[str, typer.Option("--world", "-w", help="The name to load it under.")] = SAMPLE,
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Load the sample world.

    What is there already stays as its writers left it; what is missing is added.
    """
    wanted = sample()
    with reach(url, key) as service:
        if force or not service.has(path("worlds", world)):
            service.put(path("worlds", world), wanted.world)
        else:
            wanted = _missing(service, world, wanted)
        _load(service, world, wanted)
    if as_json:
        emit({"world": world, "documents": len(wanted.lore), "characters": list(wanted.characters)})
    else:
        documents, people = counted(len(wanted.lore), "lore document"), counted(len(wanted.characters), "character")
        say(f"Loaded into {world}: {documents} and {people}.")


def _missing(service: Service, world: str, given: Sample) -> Sample:
    lore = tuple(each for each in given.lore if not service.has(path("worlds", world, "lore", each["id"])))
    characters = {
        name: sheet
        for name, sheet in given.characters.items()
        if not service.has(path("worlds", world, "characters", name))
    }
    documents = counted(len(given.lore) - len(lore), "lore document")
    people = counted(len(given.characters) - len(characters), "character")
    note(f"{world} is there already: its settings, {documents} and {people} are left as they are (--force overwrites).")
    return replace(given, lore=lore, characters=characters)


def _load(service: Service, world: str, wanted: Sample) -> None:
    if wanted.lore:
        lines = "\n".join(map(json.dumps, wanted.lore)).encode()
        job = service.upload(path("worlds", world, "ingests"), lines, "application/x-ndjson")
        follow(service, job["job_id"], "lore")
    for name, sheet in wanted.characters.items():
        service.put(path("worlds", world, "characters", name), sheet)
