"""`python -m bench [NAME...]`: measures what is named, or everything, and prints a table for each."""

import sys
from collections.abc import Awaitable, Callable

import uvloop

from bench import dialogue, ingest, retrieval, startup, text

BENCHMARKS: dict[str, Callable[[], Awaitable[None]]] = {
    "text": text.main,
    "dialogue": dialogue.main,
    "retrieval": retrieval.main,
    "startup": startup.main,
    "ingest": ingest.main,
}


async def run(names: list[str]) -> None:
    """One after the other, never at once."""
    for name in names:
        await BENCHMARKS[name]()


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in wanted if name not in BENCHMARKS]:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    uvloop.run(run(wanted))
