"""Start-up: from launching the process until `GET /health/ready` answers 200, on a data folder that was used before."""

import tempfile
from pathlib import Path
from statistics import median

from bench.processes import running_bare, running_service
from bench.tables import show

ROUNDS = 5


async def main() -> None:
    """Print the table. The service has the sample world and its in-process embedder; the peer has nothing to open."""
    seconds: dict[str, list[float]] = {"bare": [], "llmops-api": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with running_service(folder=folder, SEED="true") as fresh:
            first = fresh.start_seconds
        for _ in range(ROUNDS):
            async with running_bare() as bare:
                seconds["bare"].append(bare.start_seconds)
            async with running_service(folder=folder, SEED="true") as service:
                seconds["llmops-api"].append(service.start_seconds)
    rows: list[list[str | float]] = [[server, median(taken)] for server, taken in seconds.items()]
    show("Start-up", ("server", "ready after, s"), [*rows, ["llmops-api, the first start of all", first]])
