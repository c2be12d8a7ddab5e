"""POST /v1/jobs/{id}/cancel: at once for a job that waits, by asking its worker for one that runs."""

from datetime import UTC, datetime

from aiohttp import web

from ringback_backends.endings import end_job
from ringback_backends.lease.announcing import announce_endings
from ringback_schemas.jobs import JobDetail
from ringback_schemas.states import JobState
from ringback_service.api.calls import Call, json_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.jobs import job_id_in_path
from ringback_service.api.showing import find_job, show_job

_TRIES = 5
"""Races that are tried again; each one lost means that the job moved on, and it has few places to go."""


async def cancel_job(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Cancel a job: 200 when it is done now, 202 when its worker was asked. Safe to call twice."""
    job_id = job_id_in_path(call)
    detail = await find_job(deps, call.tenant_id, job_id)
    for _ in range(_TRIES):
        if detail.job.is_done:
            break
        if detail.job.state is JobState.RUNNING:
            await deps.store.request_cancel(call.tenant_id, job_id)
        else:
            await _end(deps, detail)
        detail = await find_job(deps, call.tenant_id, job_id)
        if detail.job.state is JobState.RUNNING and detail.job.is_cancel_requested:
            break
    status = 200 if detail.job.is_done else 202
    return json_answer(await show_job(deps, detail), status=status)


async def _end(deps: ApiDependencies, detail: JobDetail) -> None:
    """End a waiting job; does nothing when a worker was faster."""
    outcome = end_job(detail.job, JobState.CANCELLED, now=datetime.now(UTC), public_url=deps.public_url)
    announce_endings(deps.announcer, await deps.store.finish_jobs([outcome]))
