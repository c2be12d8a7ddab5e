"""Handlers that show jobs."""

import hashlib
from functools import partial

import orjson
from aiohttp import hdrs, web

from ringback_schemas.documents import job_links
from ringback_schemas.ids import JobId
from ringback_schemas.jobs import JobDetail
from ringback_schemas.problems import Problems
from ringback_schemas.states import JobState
from ringback_service.api.calls import Call, json_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.paging import Place
from ringback_service.api.queries import JobQuery, JobViewQuery, read_query
from ringback_service.api.refusals import Refused
from ringback_service.api.showing import find_job, retry_after, show_job, show_jobs

_DONE_FRESH = "private, max-age=60"
"""How a finished job may be cached: it does not change, but it can be purged."""


def job_id_in_path(call: Call) -> JobId:
    """The job's id in the request's path; anything else is a job that does not exist."""
    return JobId(call.id_in_path("job", Problems.JOB_NOT_FOUND))


async def get_job(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show a job: always 200 while it is known, whatever its state."""
    view = read_query(call.request, JobViewQuery)
    detail = await find_job(deps, call.tenant_id, job_id_in_path(call))
    if view.redirect == "1" and detail.job.state is JobState.SUCCEEDED:
        return web.Response(status=303, headers={"Location": job_links(deps.public_url, detail.job.id)["result"]})
    body = orjson.dumps(await show_job(deps, detail))
    return _tagged(call.request, body, _freshness(detail))


async def get_result(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show a job's result, in the very bytes that the task gave."""
    detail = await find_job(deps, call.tenant_id, job_id_in_path(call))
    job = detail.job
    if job.state is JobState.SUCCEEDED:
        return _tagged(call.request, detail.result or b"null", _freshness(detail))
    if job.is_done:
        raise Refused(Problems.RESULT_OF_FAILED_JOB, f"job {job.id} ended as {job.state.value}; its `error` says why")
    headers = {"Retry-After": retry_after(job)}
    raise Refused(Problems.RESULT_NOT_READY, f"job {job.id} is {job.state.value}", headers=headers)


async def list_jobs(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show jobs, newest first."""
    query = read_query(call.request, JobQuery)
    place = Place.of(call, "job", JobId, query.limit)
    page = await place.page(partial(deps.store.list_jobs, call.tenant_id, query.to_filter()), deps.public_url)
    items = await show_jobs(deps, page.rows)
    return json_answer({"items": items, "next": page.next_url}, headers=page.headers)


async def list_task_types(deps: ApiDependencies, call: Call) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Show what jobs can be asked for."""
    return json_answer(deps.catalogue.document)


def _freshness(detail: JobDetail) -> dict[str, str]:
    if detail.job.is_done:
        return {"Cache-Control": _DONE_FRESH}
    return {"Cache-Control": "no-store", "Retry-After": retry_after(detail.job)}


def _tagged(request: web.Request, body: bytes, headers: dict[str, str]) -> web.Response:
    """The body with its ETag, or 304 for a client that has it already (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {**headers, "ETag": tag, "Vary": "Authorization", "Content-Type": "application/json"}
    known = request.headers.get(hdrs.IF_NONE_MATCH, "")
    if known.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)
