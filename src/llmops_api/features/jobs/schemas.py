"""What goes over the wire about long work."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from llmops_api.core.jobs import Job
from llmops_api.schemas import WireModel


def _absent(value: object) -> bool:
    return value is None


class JobErrorOut(WireModel):
    """One thing that went wrong, and where; what it has no say about is left out."""

    code: str | None = Field(None, description="For what ended the job: the code of the problem.", exclude_if=_absent)
    file: str | None = Field(None, description="Its name, when files were uploaded as a form.", exclude_if=_absent)
    line: int | None = Field(None, description="Of the upload, or of the file in it, from 1.", exclude_if=_absent)
    field: str | None = Field(None, description="JSON pointer into the document.", exclude_if=_absent)
    document_id: str | None = Field(None, description="The document that it is about.", exclude_if=_absent)
    message: str = Field(description="What is wrong.")


class Progress(WireModel):
    """How far it is, in documents; an import counts its records, and its documents again when they are findable."""

    done: int = Field(description="Of `total`.")
    total: int = Field(description="0 until it is known.")


class JobResponse(WireModel):
    """Long work, as it stands."""

    job_id: str
    kind: str = Field(examples=["ingest"], description="`ingest`, `reindex` or `import`.")
    world: str = Field(description="The world that it works on.")
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"] = Field(
        description="The last three are final."
    )
    progress: Progress
    result: dict[str, Any] | None = Field(description="What came of it; null until it has succeeded.")
    errors: list[JobErrorOut] = Field(description="What went wrong, the first hundred.")
    error_count: int = Field(description="How many errors there were in all.")
    created_at: datetime
    ended_at: datetime | None = Field(description="Null while it is not.")

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
