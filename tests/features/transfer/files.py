"""Worlds' files taken apart and put together again."""

from collections.abc import Sequence
from typing import Any

import orjson

from llmops_api.core.world_files import Kind, Seal


def lines_of(file: bytes) -> list[dict[str, Any]]:
    """The lines as what they say."""
    return [orjson.loads(line) for line in file.splitlines()]


def sealed(lines: Sequence[bytes | dict[str, Any]]) -> bytes:
    """A file of these lines, whose last one is replaced by an end that fits them."""
    seal, raw = Seal(), [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines[:-1]]
    for line in raw:
        kind = orjson.loads(line).get("kind")
        seal.add(line, Kind(kind) if kind in list(Kind) else None)
    return b"\n".join([*raw, seal.line, b""])
