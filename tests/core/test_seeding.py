"""The sample world of the package, and its loading."""

import pytest

from llmops_api.core.characters import Characters
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.seeding import SAMPLE, sample, seed
from llmops_api.core.worlds import World
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import StateStore
from tests.support import Library, library_of


@pytest.fixture
def library(state: StateStore, index: LoreIndex) -> Library:
    return library_of(state, index)


async def _all(lore: LoreLibrary, world: World) -> dict[str, int]:
    return {each.id: each.version for each in await lore.list(world, limit=1000)}


async def test_all_of_the_sample_is_loaded_as_it_stands(library: Library, state: StateStore) -> None:
    """Under the name that it is given, with every field of every file; a second time nothing changes."""
    characters, given = Characters(state), sample()
    await seed("mine", library.worlds, library.lore, characters)
    world = await library.worlds.get("mine")
    first = await _all(library.lore, world)
    await seed("mine", library.worlds, library.lore, characters)
    line, (name, sheet) = given.lore[0], next(iter(given.characters.items()))
    document, character = await library.lore.get(world, line["id"]), await characters.get("mine", name)

    assert (world.title, world.version) == (given.world["title"], 1)
    assert set(first) == {each["id"] for each in given.lore}
    assert (document.text, document.tags, document.keys) == (line["text"], tuple(line["tags"]), tuple(line["keys"]))
    assert [each.id for each in await characters.list("mine")] == sorted(given.characters)
    assert (character.name, character.knowledge.tags) == (sheet["name"], tuple(sheet["knowledge"]["tags"]))
    assert character.voice == sheet["voice"]["style"]
    assert (character.fallback_lines, character.version) == (tuple(sheet["fallback_lines"]), 1)
    assert await _all(library.lore, world) == first


def test_the_sample_is_a_town_that_one_can_ask_about() -> None:
    """Some sixty documents with ids of their own, and five characters, each of whom knows some of them."""
    given = sample()
    held = {tag for line in given.lore for tag in line["tags"]}

    assert given.world["title"].lower() == SAMPLE
    assert len({line["id"] for line in given.lore}) == len(given.lore) >= 60
    assert len(given.characters) == 5
    for sheet in given.characters.values():
        assert held & set(sheet["knowledge"]["tags"])
        assert len(set(sheet["fallback_lines"])) > 1
