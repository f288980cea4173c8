"""A process that writes to a database, one record and one event at a time, and prints what was acknowledged."""

import asyncio
import sys

from llmops_api.adapters.database.store import open_state_store
from llmops_api.ports.state import Append, Put


async def main(database_url: str, name: str, count: int) -> None:
    async with open_state_store(database_url=database_url) as store:
        for n in range(count):
            await store.write(Put("k", f"{name}/{n}", {"n": n}), Append("s", ({"key": f"{name}/{n}"},)))
            print(f"{name}/{n}", flush=True)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
