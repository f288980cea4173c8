"""Worlds and characters as this replica read them last: who speaks while the state store is out of reach."""

from collections import OrderedDict
from typing import TypeVar

from llmops_api.core.characters import Character
from llmops_api.core.worlds import World

KEPT = 1000
"""How many of each; a character takes some 5 kB."""

Id = TypeVar("Id")
Known = TypeVar("Known")


class LastKnown:
    """Asked only while the store does not answer; what it never read is nameless, and says the plain lines."""

    def __init__(self) -> None:
        self._worlds: OrderedDict[str, World] = OrderedDict()
        self._characters: OrderedDict[tuple[str, str], Character] = OrderedDict()

    def remember(self, world: World, character: Character) -> None:
        """They have just been read."""
        _keep(self._worlds, world.id, world)
        _keep(self._characters, (world.id, character.id), character)

    def world(self, world_id: str) -> World:
        return self._worlds.get(world_id) or World(world_id, "")

    def character(self, world_id: str, character_id: str) -> Character:
        return self._characters.get((world_id, character_id)) or Character(character_id, "")


def _keep(known: OrderedDict[Id, Known], name: Id, value: Known) -> None:
    known[name] = value
    known.move_to_end(name)
    if len(known) > KEPT:
        known.popitem(last=False)
