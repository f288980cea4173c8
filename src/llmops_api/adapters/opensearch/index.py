"""The lore index on OpenSearch: an index of its own for each lore index, behind an alias that all requests name.

The alias lets an operator move an index (to other shards, to a mapping of another kind) and swap in one step, while
searches go on. What orders the writes of any number of replicas is OpenSearch's external version.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from llmops_api.adapters.opensearch import bulk, mapping
from llmops_api.adapters.opensearch.cluster import Cluster, Refused, open_cluster
from llmops_api.adapters.opensearch.documents import check, key_of, vectors_of, version_of
from llmops_api.adapters.opensearch.refresh import Refreshing
from llmops_api.adapters.opensearch.search import search
from llmops_api.adapters.opensearch.settings import OpenSearchSettings
from llmops_api.errors import ConflictError, DocumentsRefused, NotFound
from llmops_api.ports.lore_index import LoreEntry, LoreIndex, Query, SearchResult, Tombstone, Vector
from llmops_api.settings import WrongSetting, read

_PAGE = 10_000
_HOLDERS = 32
"""Documents that are read at once for their vectors: a chunk of text is 2 kB of them."""


@asynccontextmanager
async def open_lore_index(**given: Any) -> AsyncIterator[LoreIndex]:
    """`given` wins over `LLMOPS_OPENSEARCH__...`. OpenSearch need not answer yet. Raises `WrongSetting`."""
    settings = read(OpenSearchSettings, **given)
    async with open_cluster(settings) as cluster:
        yield OpenSearchLoreIndex(cluster, settings)


@dataclass(frozen=True, slots=True)
class _Meta:
    """What an index was made for; written into its mapping."""

    embedder_id: str
    dimensions: int


class OpenSearchLoreIndex:
    """`LoreIndex`; it keeps nothing but what an index was made for, and shares refreshes."""

    def __init__(self, cluster: Cluster, settings: OpenSearchSettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._metas: dict[str, _Meta] = {}
        self._refreshing: dict[str, Refreshing] = {}
        # What a serverless collection does not know, and does not need.
        self._whole = {} if settings.serverless else {"search_type": "dfs_query_then_fetch"}

    async def create(self, index: str, *, embedder_id: str, dimensions: int) -> None:
        if dimensions and self._settings.serverless:
            raise WrongSetting(
                "LLMOPS_OPENSEARCH__SERVICE=aoss needs LLMOPS_EMBEDDER=none: a collection that holds vectors takes no "
                "documents under ids of ours."
            )
        alias = self._alias(index)
        self._forget(alias)
        try:
            # Looked for by its alias: an operator may have moved it to another name.
            await self._meta(alias)
        except NotFound:
            await self._make(alias, mapping.creation(alias, embedder_id, dimensions, self._settings))
        if await self._meta(alias) != _Meta(embedder_id, dimensions):
            raise ConflictError("This lore index holds the vectors of another embedder.")

    async def _make(self, alias: str, body: Mapping[str, Any]) -> None:
        try:
            await self._cluster.ask("PUT", f"/{alias}-{mapping.FORMAT}", body)
        except Refused as error:
            # Another replica was quicker, or an attempt whose answer was lost.
            if error.kind != "resource_already_exists_exception":
                raise error.unavailable() from error

    async def drop(self, index: str) -> None:
        alias = self._alias(index)
        self._forget(alias)
        try:
            behind = await self._cluster.ask("GET", f"/_alias/{alias}")
            await self._cluster.ask("DELETE", f"/{','.join(behind)}")
        except Refused as error:
            if error.status != 404:
                raise error.unavailable() from error

    async def write(self, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
        alias = self._alias(index)
        lines = bulk.prepared(changes, (await self._meta(alias)).dimensions)
        with self._understood(alias):
            refused = await bulk.send(self._cluster, alias, changes, lines)
            await self._refresh(alias)
        if refused:
            raise DocumentsRefused(refused)

    async def versions(self, index: str, document_ids: Sequence[str] | None = None) -> Mapping[str, int]:
        alias = self._alias(index)
        await self._meta(alias)
        with self._understood(alias):
            if document_ids is None:
                return await self._all_versions(alias)
            return await self._versions(alias, document_ids)

    async def vectors(self, index: str, keys: Sequence[str]) -> Mapping[str, Vector]:
        alias = self._alias(index)
        dimensions = (await self._meta(alias)).dimensions
        found: dict[str, Vector] = {}
        missing = set(keys) if dimensions else set()
        with self._understood(alias):
            while missing:
                held = await self._vectors(alias, sorted(missing), dimensions)
                found |= {key: vector for key, vector in held.items() if key in missing}
                # A document of which another writer has just taken the key would be found for ever.
                if not held.keys() & missing:
                    break
                missing -= held.keys()
        return found

    async def search(self, index: str, query: Query) -> SearchResult:
        alias = self._alias(index)
        if query.vector is not None:
            check(query.vector, (await self._meta(alias)).dimensions)
        with self._understood(alias):
            return await search(self._cluster, alias, query, **self._whole)

    async def ping(self) -> None:
        with self._understood(""):
            # Any answer will do, no matter whether there is such an index.
            await self._cluster.ping(f"/{self._settings.prefix}ping")

    def _alias(self, index: str) -> str:
        return f"{self._settings.prefix}{index}"

    def _forget(self, alias: str) -> None:
        self._metas.pop(alias, None)
        self._refreshing.pop(alias, None)

    @contextmanager
    def _understood(self, alias: str) -> Iterator[None]:
        """What OpenSearch refuses is an index that is not there, or nothing that a caller could mend."""
        try:
            yield
        except Refused as error:
            if error.status != 404:
                raise error.unavailable() from error
            self._forget(alias)
            raise NotFound("There is no such lore index.") from error

    async def _meta(self, alias: str) -> _Meta:
        """Asked once: it never changes, and indexes have names that do not come again."""
        meta = self._metas.get(alias)
        if meta is None:
            with self._understood(alias):
                found = await self._cluster.ask("GET", f"/{alias}/_mapping")
            of_index = next(iter(found.values()))
            meta = self._metas[alias] = _Meta(**of_index["mappings"]["_meta"])
        return meta

    async def _refresh(self, alias: str) -> None:
        """A serverless collection knows no refresh: it shows what was written when it is ready to."""
        if self._settings.serverless:
            return
        refreshing = self._refreshing.get(alias)
        if refreshing is None:
            refreshing = self._refreshing[alias] = Refreshing(self._cluster, alias)
        await refreshing.done()

    async def _versions(self, alias: str, document_ids: Sequence[str]) -> dict[str, int]:
        """By id, without a search: what another replica has written and not yet refreshed counts."""
        if not document_ids:
            return {}
        body = {"docs": [{"_id": key_of(each), "_source": False} for each in document_ids]}
        answer = await self._cluster.ask("POST", f"/{alias}/_mget", body)
        found = {}
        for document_id, document in zip(document_ids, answer["docs"], strict=True):
            if "error" in document:
                raise Refused.of(404 if "not_found" in document["error"]["type"] else 503, document["error"])
            if document["found"] and (version := version_of(document["_version"])) is not None:
                found[document_id] = version
        return found

    async def _all_versions(self, alias: str) -> dict[str, int]:
        found: dict[str, int] = {}
        body: dict[str, Any] = {
            "size": _PAGE,
            "query": {"term": {"gone": False}},
            "_source": ["document_id", "age"],
            "sort": ["document_id"],
            "track_total_hits": False,
        }
        while True:
            hits = await self._hits(alias, body)
            found |= {hit["_source"]["document_id"]: hit["_source"]["age"] // 2 for hit in hits}
            if len(hits) < _PAGE:
                return found
            body["search_after"] = hits[-1]["sort"]

    async def _vectors(self, alias: str, keys: Sequence[str], dimensions: int) -> dict[str, Vector]:
        """Those of some documents that hold one of these keys, other keys of theirs among them."""
        body = {
            "size": _HOLDERS,
            "query": {"bool": {"filter": [{"terms": {"keys": keys}}]}},
            "_source": ["chunks"],
            "stored_fields": ["packed"],
            "track_total_hits": False,
        }
        found: dict[str, Vector] = {}
        for hit in await self._hits(alias, body):
            found |= vectors_of(hit["_source"], hit["fields"]["packed"][0], dimensions)
        return found

    async def _hits(self, alias: str, body: Mapping[str, Any]) -> Sequence[Any]:
        # Better none than a part: a lost shard is found elsewhere in a moment.
        answer = await self._cluster.ask("POST", f"/{alias}/_search", body, allow_partial_search_results="false")
        hits: Sequence[Any] = answer["hits"]["hits"]
        return hits
