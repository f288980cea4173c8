"""`python -m bench [NAME...]`: measures what is named, or all that has a peer, and prints a table for each."""

import argparse
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bench import dialogue, ingest, retrieval, retrieval_quality, startup, streams, text


async def quality() -> None:
    """Has no peer and takes minutes, so it is run by name alone."""
    with tempfile.TemporaryDirectory() as folder:
        await retrieval_quality.measure(Path(folder), fit=False)


BESIDE_PEERS: dict[str, Callable[[], Awaitable[None]]] = {
    "text": text.main,
    "dialogue": dialogue.main,
    "streams": streams.main,
    "retrieval": retrieval.main,
    "startup": startup.main,
    "ingest": ingest.main,
}
BENCHMARKS = {**BESIDE_PEERS, "retrieval_quality": quality}


async def run(names: list[str]) -> None:
    """One after the other, never at once."""
    for name in names:
        await BENCHMARKS[name]()


def wanted() -> list[str]:
    """The benchmarks that the command line names, or all that have a peer."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition(": ")[2])
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(BENCHMARKS))
    names: list[str] = parser.parse_args().names
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    return names or list(BESIDE_PEERS)


if __name__ == "__main__":
    uvloop.run(run(wanted()))
