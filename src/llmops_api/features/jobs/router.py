"""Long work over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from llmops_api.core.jobs import Job
from llmops_api.core.keys import Principal
from llmops_api.dependencies import JobsDep, WriterDep
from llmops_api.errors import NotFound
from llmops_api.features.jobs.schemas import JobResponse
from llmops_api.problems import KEYED
from llmops_api.schemas import ID

router = APIRouter(
    prefix="/v1/jobs",
    tags=["Jobs"],
    responses=KEYED,
)

JobId = Annotated[str, Path(pattern=ID, max_length=128, description="As it was answered when the job began.")]


@router.get("/{job_id}", summary="Read a job")
async def get_job(writer: WriterDep, job_id: JobId, jobs: JobsDep) -> JobResponse:
    """Where it stands; once it has ended, what came of it."""
    return JobResponse.of(await _seen(writer, job_id, jobs))


@router.delete("/{job_id}", summary="Cancel a job")
async def cancel_job(writer: WriterDep, job_id: JobId, jobs: JobsDep) -> JobResponse:
    """Stop it at its next step; what it has done stays. A job that has ended is left as it is."""
    await _seen(writer, job_id, jobs)
    return JobResponse.of(await jobs.cancel(job_id))


async def _seen(writer: Principal, job_id: str, jobs: JobsDep) -> Job:
    job = await jobs.get(job_id)
    if not writer.may_see(job.world):
        raise NotFound("There is no such job.")
    return job
