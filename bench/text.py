"""Text pass-through: our service and two peers in front of one upstream that answers at once, round by round.

Beside the rate and the latency stands the processor time of a request, which other work on the machine disturbs least.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from bench.load import Measured, load, post
from bench.processes import ADMIN_KEY, Server, running_bare, running_litellm, running_service, running_upstream
from bench.tables import show

OURS = "llmops-api"
PATH = "/v1/text/generate"
PROMPT = "Write one line that a ferrywoman says in the rain."
BODY = {"prompt": PROMPT}
REQUEST = post(PATH, BODY, ADMIN_KEY)
TO_LITELLM = post(
    "/v1/chat/completions", {"model": "default", "messages": [{"role": "user", "content": PROMPT}]}, ADMIN_KEY
)
COUNTS = {1: 600, 16: 2000, 64: 2000}
"""Requests of a round, by connections."""
SLOWER = 10
"""LiteLLM gets that many times fewer, so that its rounds last about as long."""
ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Round:
    measured: Measured
    cpu_ms: float


async def main() -> None:
    """Print the tables."""
    async with (
        running_upstream() as upstream,
        running_bare(upstream) as bare,
        running_litellm(upstream) as litellm,
        running_service(upstream=upstream, EMBEDDER="none") as service,
    ):
        servers = {"bare": bare, "LiteLLM proxy": litellm, OURS: service}
        rows = [row for connections in COUNTS for row in await compare(servers, connections)]
        columns = ("connections", "server", "requests/s", "p50 ms", "p99 ms", "CPU ms a request", "ours, times as many")
        show("Text pass-through", columns, rows)
        processes: list[list[str | float]] = [
            [name, server.start_seconds, server.megabytes] for name, server in servers.items()
        ]
        show("The processes", ("server", "ready after, s", "MB after the load"), processes)


async def compare(servers: Mapping[str, Server], connections: int) -> list[list[str | float]]:
    """A row each: medians of the rounds, the ratio to ours that of neighbouring rounds."""
    rounds: dict[str, list[Round]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, server in servers.items():
            rounds[name].append(await one_round(name, server, connections))
    return [[str(connections), name, *figures(done), _ratio(rounds[OURS], done)] for name, done in rounds.items()]


async def one_round(name: str, server: Server, connections: int) -> Round:
    request, count = REQUEST, COUNTS[connections]
    if name == "LiteLLM proxy":
        request, count = TO_LITELLM, count // SLOWER
    before = server.cpu_seconds
    measured = await load(server.port, [request], connections=connections, count=count)
    return Round(measured, (server.cpu_seconds - before) / count * 1000)


def figures(rounds: list[Round]) -> list[float]:
    """Rate, p50, p99, CPU: the median of each."""
    return [
        median(each.measured.rate for each in rounds),
        median(each.measured.percentile(50) for each in rounds),
        median(each.measured.percentile(99) for each in rounds),
        median(each.cpu_ms for each in rounds),
    ]


def _ratio(ours: list[Round], theirs: list[Round]) -> float:
    return median(our.measured.rate / their.measured.rate for our, their in zip(ours, theirs, strict=True))
