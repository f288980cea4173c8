"""Text pass-through: our service and the bare peer in front of one upstream that answers at once, round by round.

Beside the rate and the latency stands the processor time of a request, which other work on the machine disturbs least.
"""

from dataclasses import dataclass
from statistics import median

from bench.load import Measured, load, post
from bench.processes import ADMIN_KEY, Server, running_bare, running_service, running_upstream
from bench.tables import show

PATH = "/v1/text/generate"
BODY = {"prompt": "Write one line that a ferrywoman says in the rain."}
COUNTS = {1: 600, 16: 2000, 64: 2000}
"""Requests of a round, by connections."""
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Round:
    measured: Measured
    cpu_ms: float


async def main() -> None:
    """Print the table."""
    async with (
        running_upstream() as upstream,
        running_bare(upstream) as bare,
        running_service(upstream=upstream, EMBEDDER="none") as service,
    ):
        rows = [row for connections in COUNTS for row in await compare(bare, service, connections)]
    columns = ("connections", "server", "requests/s", "p50 ms", "p99 ms", "CPU ms a request", "ratio of requests/s")
    show("Text pass-through", columns, rows)


async def compare(bare: Server, service: Server, connections: int) -> list[list[str | float]]:
    """A row each; medians of the rounds, the ratio that of neighbouring rounds."""
    rounds: dict[str, list[Round]] = {"bare": [], "llmops-api": []}
    for _ in range(ROUNDS):
        for name, server in (("bare", bare), ("llmops-api", service)):
            rounds[name].append(await one_round(server, connections))
    ratio = median(
        ours.measured.rate / theirs.measured.rate
        for ours, theirs in zip(rounds["llmops-api"], rounds["bare"], strict=True)
    )
    return [[str(connections), name, *figures(done), 1.0 if name == "bare" else ratio] for name, done in rounds.items()]


async def one_round(server: Server, connections: int) -> Round:
    before, count = server.cpu_seconds, COUNTS[connections]
    measured = await load(server.port, [post(PATH, BODY, ADMIN_KEY)], connections=connections, count=count)
    return Round(measured, (server.cpu_seconds - before) / count * 1000)


def figures(rounds: list[Round]) -> list[float]:
    """Rate, p50, p99, CPU: the median of each."""
    return [
        median(each.measured.rate for each in rounds),
        median(each.measured.percentile(50) for each in rounds),
        median(each.measured.percentile(99) for each in rounds),
        median(each.cpu_ms for each in rounds),
    ]
