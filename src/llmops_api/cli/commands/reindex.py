"""`llmops-api reindex`."""

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Url, World
from llmops_api.cli.output import emit, say
from llmops_api.cli.progress import follow
from llmops_api.cli.reach import reach

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api reindex --world emberfall")
def reindex(world: World, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Build the lore index of a world anew.

    With the embedder and the settings of today; the live index answers until the new one is complete.
    """
    with reach(url, key) as service:
        started = service.post(path("worlds", world, "lore", "reindex"), {})
        job = follow(service, started["job_id"], "index")
    if as_json:
        emit(job)
    else:
        say(f"{world} answers from its new index.")
