"""The durable job that brings a world in: its records first, then its lore made findable, then the world appears."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from llmops_api.core.jobs import JobRun
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.world_files import Entry
from llmops_api.core.world_import import Hold, WorldImports
from llmops_api.core.worlds import World
from llmops_api.ports.state import Append, StateStore, Value

IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Import:
    """The job; its stream is as `Upload` has left it."""

    state: StateStore
    imports: WorldImports
    lore: LoreLibrary

    async def __call__(self, run: JobRun) -> Mapping[str, Any]:
        (last,) = await self.state.read(run.stream, limit=1, newest_first=True)
        counts: Mapping[str, Any] = last.value["counts"]
        if "whole" in last.value:  # a crash came between the world and the record of its job
            return counts
        entry = _entries(await self._batch(run, 1))[0]
        world = World(**{**(entry.value or {}), "id": run.world, "version": entry.number})
        hold = await self.imports.take(world, run.job_id)
        hold = await self._write(run, hold, batches=last.position - 1)
        await self._make_findable(run, world, sum(counts.values()))
        await self.imports.finish(hold, entry, Append(run.stream, ({"counts": counts, "whole": True},)))
        return counts

    async def _write(self, run: JobRun, hold: Hold, batches: int) -> Hold:
        """The records, from where the hold has come to."""
        for position in range(hold.position + 1, batches + 1):
            batch = await self._batch(run, position)
            hold = await self.imports.write(hold, _entries(batch), position)
            await run.progress(batch["records"], run.total)
        return hold

    async def _batch(self, run: JobRun, position: int) -> Value:
        (event,) = await self.state.read(run.stream, after=position - 1, limit=1)
        return event.value

    async def _make_findable(self, run: JobRun, world: World, records: int) -> None:
        """What a crash had left done is passed over."""

        async def progress(done: int, _total: int) -> None:
            await run.progress(records + done, run.total)

        await self.lore.sync(world, progress)


def _entries(batch: Value) -> list[Entry]:
    return [Entry.of(orjson.loads(line)) for line in batch["lines"]]
