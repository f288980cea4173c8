"""Following a job until it has ended."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llmops_api.cli.client import Service, path
from llmops_api.cli.failures import CheckFailed, Interrupted
from llmops_api.cli.output import err, note

ENDED = {"succeeded", "failed", "cancelled"}
POLL_SECONDS = 0.2

Advance = Callable[[Mapping[str, int]], None]
"""Shows a job's `progress`."""


def follow(service: Service, job_id: str, label: str) -> dict[str, Any]:
    """The job once it has ended; on the way, how far it is goes to standard error.

    Raises `CheckFailed` when it failed or was cancelled, `Interrupted` at Ctrl-C, which leaves the job alone.
    """
    try:
        job = _ended(service, job_id, label)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"stopped watching. {job_id} goes on, if need be when the service next starts on its data: "
            f"llmops-api jobs show {job_id}"
        ) from interrupt
    if job["status"] != "succeeded":
        reasons = "".join(f"\n  {describe(each)}" for each in job["errors"])
        raise CheckFailed(f"{job_id} is {job['status']}.{reasons}")
    return job


def describe(error: Mapping[str, Any]) -> str:
    """One of a job's errors: the field, when there is one, and what is wrong with it."""
    return " ".join(filter(None, (error.get("field"), error["message"])))


def _ended(service: Service, job_id: str, label: str) -> dict[str, Any]:
    with _bar(label) if err().is_terminal else _lines(label) as advance:
        while True:
            job: dict[str, Any] = service.get(path("jobs", job_id))
            advance(job["progress"])
            if job["status"] in ENDED:
                return job
            time.sleep(POLL_SECONDS)


@contextmanager
def _bar(label: str) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err()) as progress:
        task = progress.add_task(label, total=None)
        yield lambda at: progress.update(task, completed=at["done"], total=at["total"] or None)


@contextmanager
def _lines(label: str) -> Iterator[Advance]:
    """A line at each tenth of the way."""
    shown = -1

    def advance(at: Mapping[str, int]) -> None:
        nonlocal shown
        tenth = 10 * at["done"] // at["total"] if at["total"] else shown
        if tenth != shown:
            shown = tenth
            note(f"{label}: {at['done']} of {at['total']}")

    yield advance
