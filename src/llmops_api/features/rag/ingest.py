"""The durable jobs of lore: what was uploaded, batch after batch into a world, and an index built anew."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops_api.core.documents import Document
from llmops_api.core.jobs import JobRun
from llmops_api.core.lore import LoreLibrary
from llmops_api.core.worlds import Worlds
from llmops_api.ports.state import StateStore

INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Ingest:
    """The job: batch after batch into the lore; after a crash it begins again and passes over what is there."""

    state: StateStore
    worlds: Worlds
    lore: LoreLibrary

    async def __call__(self, run: JobRun) -> Mapping[str, Any]:
        world = await self.worlds.get(run.world)
        counts = {"documents": 0, "created": 0, "updated": 0, "unchanged": 0}
        done = 0
        async for documents in self._batches(run.stream):
            for stored in await self.lore.put_many(world, documents, run.still_wanted):
                if stored.refused:
                    message = f"The lore index cannot hold it: {stored.refused}."
                    run.report({"document_id": stored.document.id, "message": message})
                    continue
                counts["created" if stored.created else "updated" if stored.changed else "unchanged"] += 1
                counts["documents"] += 1
            done += len(documents)
            await run.progress(done, run.total)
        return counts

    async def _batches(self, stream: str) -> AsyncIterator[list[Document]]:
        """The last batch first, so that of two documents with one id the later is met first, and the other left out."""
        newest = await self.state.read(stream, limit=1, newest_first=True)
        met: set[str] = set()
        for position in range(newest[0].position if newest else 0, 0, -1):
            for event in await self.state.read(stream, after=position - 1, limit=1):
                batch = {value["id"]: value for value in event.value["documents"] if value["id"] not in met}
                met |= batch.keys()
                yield [_stored(value) for value in batch.values()]


def _stored(value: Mapping[str, Any]) -> Document:
    return Document(**{**value, "tags": tuple(value["tags"]), "keys": tuple(value["keys"])})


@dataclass(frozen=True, slots=True)
class Reindex:
    """The job: an index beside the live one, then the swap."""

    worlds: Worlds
    lore: LoreLibrary

    async def __call__(self, run: JobRun) -> Mapping[str, Any]:
        world = await self.worlds.get(run.world)
        index = await self.lore.rebuild(world, run.progress)
        return {"embedder": index.embedder_id, "documents": await self.lore.count(world)}
