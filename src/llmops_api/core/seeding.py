"""The sample world that ships with the package, and loading it into an empty service."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from llmops_api.core.characters import Character, Characters, Knowledge
from llmops_api.core.documents import Document
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.worlds import World, Worlds

SAMPLE = "emberfall"


@dataclass(frozen=True, slots=True)
class Sample:
    """As it stands in the package, in the words of the wire: a world, lore documents with ids, characters by id."""

    world: Mapping[str, Any]
    lore: tuple[Mapping[str, Any], ...]
    characters: Mapping[str, Mapping[str, Any]]


def sample() -> Sample:
    """Read the package's files."""
    folder = files("llmops_api") / "seeds" / SAMPLE
    lines = (folder / "lore.jsonl").read_text("utf-8").splitlines()
    sheets = sorted((folder / "characters").iterdir(), key=lambda sheet: sheet.name)
    return Sample(
        world=json.loads((folder / "world.json").read_text("utf-8")),
        lore=tuple(json.loads(line) for line in lines),
        characters={sheet.name.removesuffix(".json"): json.loads(sheet.read_text("utf-8")) for sheet in sheets},
    )


async def seed(world_id: str, worlds: Worlds, lore: LoreLibrary, characters: Characters) -> None:
    """Load the sample world under this name; what is there already in the same words stays as it is."""
    given = sample()
    world, _ = await worlds.put(World(world_id, **given.world))
    await lore.put_many(world, list(_documents(given)))
    for name, sheet in given.characters.items():
        await characters.put(world.id, _character(name, sheet))


def _documents(given: Sample) -> Iterator[Document]:
    for line in given.lore:
        yield Document(**{**line, "tags": tuple(line["tags"]), "keys": tuple(line["keys"])})


def _character(name: str, sheet: Mapping[str, Any]) -> Character:
    lists = {field: tuple(value) for field, value in sheet.items() if isinstance(value, list)}
    knowledge = Knowledge(**{field: tuple(value) for field, value in sheet["knowledge"].items()})
    return Character(**{**sheet, **lists, "id": name, "knowledge": knowledge, "voice": sheet["voice"]["style"]})
