"""A whole dialogue turn, retrieval and memory included, beside bare pass-through to the same upstream.

Every turn opens a conversation, embeds the line, searches the sample world, renders the prompt, asks the upstream,
cuts the answer into sentences and writes the turn down.
"""

from statistics import median

from bench.load import Measured, load, post
from bench.processes import ADMIN_KEY, running_bare, running_service, running_upstream
from bench.tables import show
from bench.text import BODY, PATH

DIALOGUE = "/v1/worlds/emberfall/characters/{}/dialogue"
CHARACTER = "guard"
LINES = ("When does the gate close?", "Who rings the Covering Bell?", "Good morning!", "What happened at the mill?")
COUNTS = {1: 100, 16: 300}
"""Turns of a round, by connections; the peer gets four times as many requests."""
ROUNDS = 5


async def main() -> None:
    """Print the table."""
    turns = [
        post(DIALOGUE.format(CHARACTER), {"player_id": f"player-{number}", "text": line}, ADMIN_KEY)
        for number, line in enumerate(LINES)
    ]
    rows: list[list[str | float]] = []
    async with (
        running_upstream() as upstream,
        running_bare(upstream) as bare,
        running_service(upstream=upstream, SEED="true") as service,
    ):
        for connections, count in COUNTS.items():
            passed: list[Measured] = []
            spoken: list[Measured] = []
            for _ in range(ROUNDS):
                passed.append(await load(bare.port, [post(PATH, BODY)], connections=connections, count=4 * count))
                spoken.append(await load(service.port, turns, connections=connections, count=count))
            rows += [row("bare pass-through", connections, passed), row("llmops-api dialogue", connections, spoken)]
    show("A whole dialogue turn", ("server", "connections", "turns/s", "p50 ms", "p99 ms"), rows)


def row(server: str, connections: int, rounds: list[Measured]) -> list[str | float]:
    """The medians of the rounds."""
    figures = [(each.rate, each.percentile(50), each.percentile(99)) for each in rounds]
    return [server, str(connections), *(median(column) for column in zip(*figures, strict=True))]
