"""What goes over the wire about long work."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from llmops_api.core.jobs import Job
from llmops_api.schemas import WireModel


class JobErrorOut(WireModel):
    """One thing that went wrong without stopping the job."""

    code: str | None = Field(None, description="For what ended the job: the code of the problem.")
    line: int | None = None
    field: str | None = None
    document_id: str | None = None
    message: str


class Progress(WireModel):
    done: int
    total: int


class JobResponse(WireModel):
    job_id: str
    kind: str
    world: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    progress: Progress
    result: dict[str, Any] | None
    errors: list[JobErrorOut]
    error_count: int = Field(description="`errors` shows the first hundred of these.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, job: Job) -> "JobResponse":
        return cls(
            job_id=job.id,
            kind=job.kind,
            world=job.world,
            status=job.status.value,
            progress=Progress(done=job.done, total=job.total),
            result=None if job.result is None else dict(job.result),
            errors=[JobErrorOut(**each) for each in job.errors],
            error_count=job.error_count,
            created_at=job.created_at,
            ended_at=job.ended_at,
        )
