"""DELETE /v1/jobs/{id}: a job that is done is purged at once; one that is not is not."""

from aiohttp import web

from ringback_schemas.problems import Problems
from ringback_schemas.retention import Purge
from ringback_service.api.calls import Call
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.jobs import job_id_in_path
from ringback_service.api.refusals import Refused
from ringback_service.api.showing import missing_job


async def purge_job(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Purge a finished job: its payload, result, events, deliveries and attempts, now and for good.

    Webhooks of it that were not sent yet are not sent any more. A job that is not done is not touched: cancel it first.
    """
    job_id = job_id_in_path(call)
    match await deps.store.purge_job(call.tenant_id, job_id):
        case Purge.PURGED:
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        case Purge.NOT_DONE:
            cancel = f"{deps.public_url}/v1/jobs/{job_id}/cancel"
            raise Refused(Problems.JOB_NOT_TERMINAL, f"job {job_id} is not done; POST {cancel} ends it")
        case Purge.UNKNOWN:
            raise await missing_job(deps, call.tenant_id, job_id)
