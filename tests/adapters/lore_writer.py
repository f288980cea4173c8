"""A process that writes documents to an embedded lore index, many at a time, and prints each batch acknowledged."""

import asyncio
import sys
from pathlib import Path

import numpy as np

from llmops_api.adapters.embedded.index import open_lore_index
from llmops_api.ports.lore_index import Chunk, LoreEntry


def document(writer: str, batch: int, number: int) -> LoreEntry:
    vector = np.zeros(8, np.float32)
    vector[batch % 8] = 1
    terms = ("gate", f"{writer}-{batch}")
    chunks = (Chunk(0, 4, f"{writer}-{batch}-{number}", vector),)
    return LoreEntry(f"{writer}-{batch}-{number}", 1, "", "gate", text_terms=terms, chunks=chunks)


async def main(folder: str, writer: str, batches: int, size: int) -> None:
    async with open_lore_index(folder=Path(folder)) as lore:
        await lore.create("world", embedder_id="embedder", dimensions=8)
        for batch in range(batches):
            await lore.write("world", [document(writer, batch, number) for number in range(size)])
            print(batch, flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
