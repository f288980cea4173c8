"""Makes what was written findable: one refresh of the index for all writers that wait for one."""

import asyncio
from http import HTTPStatus
from typing import Any

from llmops_api.adapters.opensearch.cluster import Cluster, Refused


class Refreshing:
    """Shares refreshes. One that has begun may have missed a write, so later writers wait for the next, together."""

    def __init__(self, cluster: Cluster, alias: str) -> None:
        self._cluster = cluster
        self._alias = alias
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def done(self) -> None:
        """Return when a refresh that began after this call has ended. Raises what the refresh raised."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        # Shielded: a writer who gives up does not take the refresh from the others.
        await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[None] | None) -> None:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        await self._cluster.ask("POST", f"/{self._alias}/_refresh", read=_of_all_shards)


def _of_all_shards(answer: Any) -> None:
    if answer["_shards"]["failed"]:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "shards_not_refreshed")
