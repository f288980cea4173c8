"""Changes of a lore index as `_bulk` requests of a bearable size, and what became of each."""

from collections.abc import Iterator, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson

from llmops_api.adapters.opensearch.cluster import Cluster, Refused
from llmops_api.adapters.opensearch.documents import age_of, key_of, source_of
from llmops_api.ports.lore_index import LoreEntry, Tombstone

_MOST_BYTES = 5_000_000
_MOST_CHANGES = 500
_SECONDS = 60.0
"""A write may wait for a shard that is moving to another node."""

_AS_NUMBERS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


def prepared(changes: Sequence[LoreEntry | Tombstone], dimensions: int) -> list[bytes]:
    """Each change as the two lines that OpenSearch takes. Raises `BadInput` for a vector that is not of this index."""
    return [_lines(change, dimensions) for change in changes]


def _lines(change: LoreEntry | Tombstone, dimensions: int) -> bytes:
    action = {"_id": key_of(change.document_id), "version": age_of(change), "version_type": "external_gte"}
    return orjson.dumps({"index": action}, option=_AS_NUMBERS) + orjson.dumps(
        source_of(change, dimensions), option=_AS_NUMBERS
    )


async def send(
    cluster: Cluster, alias: str, changes: Sequence[LoreEntry | Tombstone], lines: Sequence[bytes]
) -> dict[str, str]:
    """Write them; the documents that OpenSearch refused for what they are, each with its kind of error.

    Raises `Refused` and `BackendUnavailable`; what was written before stays.
    """
    refused: dict[str, str] = {}
    for batch in _batches(lines):
        refused |= await cluster.ask(
            "POST",
            f"/{alias}/_bulk",
            b"".join(lines[batch]),
            read=partial(_refusals, changes[batch]),
            seconds=_SECONDS,
            # Without the alias OpenSearch would make an index of that name, guessing its fields.
            require_alias="true",
        )
    return refused


def _batches(lines: Sequence[bytes]) -> Iterator[slice]:
    start = size = 0
    for end, line in enumerate(lines):
        if end > start and (size + len(line) > _MOST_BYTES or end - start == _MOST_CHANGES):
            yield slice(start, end)
            start, size = end, 0
        size += len(line)
    if start < len(lines):
        yield slice(start, len(lines))


def _refusals(changes: Sequence[LoreEntry | Tombstone], answer: Any) -> dict[str, str]:
    """Raises `Refused` for what is no fault of a document."""
    refused = {}
    for change, item in zip(changes, answer["items"], strict=True):
        result = item["index"]
        # 409: a newer version is there already, which is as it should be.
        if "error" not in result or result["status"] == HTTPStatus.CONFLICT:
            continue
        error = Refused.of(result["status"], result["error"])
        if error.status != HTTPStatus.BAD_REQUEST:
            raise error
        refused[change.document_id] = error.kind
    return refused
