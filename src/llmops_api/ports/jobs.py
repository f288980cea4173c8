"""Durable background work: what was started goes on after a crash, here or on another replica."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

JobHandler = Callable[[str], Awaitable[None]]
"""Called with the job's id; after a crash called again from the start, so it must pass over what is done. It keeps the
job's own record (`core/jobs.py`): status, progress, result, errors."""


class JobRunner(Protocol):
    """Failures to reach it are `BackendUnavailable`."""

    async def launch(self, handlers: Mapping[str, JobHandler]) -> None:
        """Begin to run jobs, those first that a crash interrupted. Called once, when everything else is open."""
        ...

    async def start(self, job_id: str, kind: str) -> None:
        """When it returns, the job will run. The same `job_id` again starts nothing."""
        ...

    async def cancel(self, job_id: str) -> None:
        """Stop it at its next await; one that has ended or is not known is left alone."""
        ...

    async def ping(self) -> None:
        """Return when it answers; raise `BackendUnavailable` saying why not."""
        ...
