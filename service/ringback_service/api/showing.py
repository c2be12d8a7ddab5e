"""Jobs as clients see them."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ringback_schemas.documents import job_document, timestamp
from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.jobs import JobDetail, JobRecord
from ringback_schemas.problems import Problems
from ringback_schemas.states import JobState
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.refusals import Refused

LONGEST_RETRY_AFTER_S = 3_600


async def find_job(deps: ApiDependencies, tenant_id: TenantId, job_id: JobId) -> JobDetail:
    """A job with all that is known of it.

    Raises:
        Refused: the tenant has no such job, or no longer.
    """
    detail = await deps.store.get_job(tenant_id, job_id)
    if detail is None:
        raise await missing_job(deps, tenant_id, job_id)
    return detail


async def missing_job(deps: ApiDependencies, tenant_id: TenantId, job_id: JobId) -> Refused:
    """The refusal for a job that is not there: whether it ever was, as far as that is still known."""
    purged = await deps.store.find_purged(tenant_id, job_id)
    if purged is None:
        return Refused(Problems.JOB_NOT_FOUND, f"there is no job {job_id}")
    ended, gone = timestamp(purged.finished_at), timestamp(purged.purged_at)
    return Refused(
        Problems.JOB_PURGED, f"job {job_id} ({purged.type}) ended as {purged.state.value} at {ended}, purged at {gone}"
    )


async def show_job(deps: ApiDependencies, detail: JobDetail) -> dict[str, Any]:
    """The job resource; of one that waits for its next attempt, with the error of the last."""
    (reason,) = await deps.served.reasons([detail.job])
    return job_document(
        detail.job,
        deps.public_url,
        result=detail.result,
        error=_last_error(detail) if detail.job.state is JobState.RETRYING else detail.error,
        progress=detail.progress,
        waiting_reason=reason,
    )


def _last_error(detail: JobDetail) -> bytes | None:
    return detail.attempts[-1].error if detail.attempts else None


async def show_jobs(deps: ApiDependencies, jobs: Sequence[JobRecord]) -> list[dict[str, Any]]:
    """The resources of several jobs, without results, errors and progress."""
    reasons = await deps.served.reasons(jobs)
    return [
        job_document(job, deps.public_url, waiting_reason=reason) for job, reason in zip(jobs, reasons, strict=True)
    ]


def retry_after(job: JobRecord) -> str:
    """Seconds after which it makes sense to ask about a job again: one, or when it may start if that is later."""
    if job.state not in (JobState.SCHEDULED, JobState.RETRYING):
        return "1"
    wait_s = (job.run_at - datetime.now(UTC)).total_seconds()
    return str(max(1, min(LONGEST_RETRY_AFTER_S, math.ceil(wait_s))))
