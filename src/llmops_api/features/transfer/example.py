"""A small world as a file, for the OpenAPI page."""

from datetime import UTC, datetime

from llmops_api.core.world_files import Entry, Kind, Seal, header_of

_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
_STONE = {
    "title": "The Weeping Stone",
    "text": "The Weeping Stone stands in the mill yard. It drips, even in drought.",
    "kind": "place",
    "tags": ["common"],
    "keys": [],
    "importance": 3,
    "locale": "",
    "metadata": {},
}
_ENTRIES = (
    Entry(Kind.WORLD, "driftwood", 1, _AT, {"title": "Driftwood"}),
    Entry(Kind.DOCUMENT, "place/weeping-stone", 2, _AT, _STONE),
)


def _file() -> str:
    seal, lines = Seal(), [header_of("driftwood")]
    seal.add(lines[0])
    for entry in _ENTRIES:
        lines.append(entry.line)
        seal.add(entry.line, entry.kind)
    return b"\n".join([*lines, seal.line, b""]).decode()


EXAMPLE = _file()
"""Whole, and as an export would write it."""
