"""`llmops-api jobs`."""

from typing import Any

import typer

from llmops_api.cli.client import path
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, say
from llmops_api.cli.progress import describe
from llmops_api.cli.reach import reach

command = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at a job, or cancel it.")


@command.command("show", epilog="Example: llmops-api jobs show job_7f3a")
def show(job_id: str, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Show where a job stands."""
    with reach(url, key) as service:
        job = service.get(path("jobs", job_id))
    _show(job, as_json=as_json)


@command.command("cancel", epilog="Example: llmops-api jobs cancel job_7f3a")
def cancel(job_id: str, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Stop a job at its next step; what it has done stays."""
    with reach(url, key) as service:
        job = service.delete(path("jobs", job_id))
    _show(job, as_json=as_json)


def _show(job: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(job)
        return
    progress = job["progress"]
    say(f"{job['job_id']} ({job['kind']}): {job['status']}, {progress['done']} of {progress['total']}")
    for name, value in (job["result"] or {}).items():
        say(f"  {name}: {value}")
    for error in job["errors"]:
        place = f"line {error['line']}: " if error.get("line") else ""
        say(f"  {place}{describe(error)}")
