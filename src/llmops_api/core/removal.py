"""Deleting a world with all that stands in it: first from sight, so that nothing is written any more, then from the store."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from llmops_api.core.worlds import REMOVAL, Worlds
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import Delete, Require, StateStore


class Contents(Protocol):
    """One sort of what stands in a world."""

    async def delete_all(self, world_id: str, meanwhile: Require) -> None:
        """Remove those of a world that is gone from sight; `meanwhile` goes with every write, and ends it by `NotFound`
        when somebody else has finished and the world may have been made anew."""
        ...


@dataclass(frozen=True, slots=True)
class Removal:
    """Deletes worlds. Cut off anywhere, it is finished by the next start, or before a world of that id is made anew."""

    state: StateStore
    lore: LoreIndex
    worlds: Worlds
    contents: Sequence[Contents]

    async def remove(self, world_id: str, *, expected_version: int | None = None) -> None:
        """Raises `NotFound`, `VersionMismatch`."""
        await self.worlds.hide(world_id, expected_version=expected_version)
        await self.finish(world_id)

    async def finish(self, world_id: str) -> None:
        """Remove what a world has left behind, if anything."""
        record = await self.state.get(REMOVAL, world_id)
        if record is None:
            return
        with suppress(NotFound, VersionMismatch):  # somebody else was faster
            for each in self.contents:
                await each.delete_all(world_id, Require(REMOVAL, world_id))
            for index in record.value["indexes"]:
                await self.lore.drop(index)
            await self.state.write(Delete(REMOVAL, world_id, record.version, forget=True))

    async def finish_all(self) -> None:
        """The same for every world that a crash has left so."""
        after = ""
        while records := await self.state.list(REMOVAL, after=after):
            for record in records:
                after = record.key
                await self.finish(record.key)
