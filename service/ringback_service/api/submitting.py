"""POST /v1/jobs: the way of a job into the store. The hot path: at 2,000 a second each microsecond counts."""

from datetime import UTC, datetime
from typing import Any, assert_never

from aiohttp import web

from ringback_backends.contracts.broker import Queue
from ringback_schemas.documents import job_document
from ringback_schemas.http import JobRequest
from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.jobs import Accepted, IdempotencyKey, JobRecord, KeyMismatch, NewJob, Replayed
from ringback_schemas.problems import Problems
from ringback_schemas.states import JobState
from ringback_service.api.bodies import read_json, to_model
from ringback_service.api.calls import Call, json_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.refusals import FieldError, Refused
from ringback_service.api.showing import find_job, retry_after, show_job
from ringback_service.api.submission import check_times, idempotency_key, new_job, stored


async def submit_job(deps: ApiDependencies, call: Call) -> web.Response:
    """Accept a job: when this answers 202, it is committed.

    A crash before the commit leaves nothing; one after it, and before the answer or the announcement, leaves a job that
    runs (consumers poll) and a client that asks again: with an idempotency key, it gets the same job.
    """
    try:
        deps.admission.check(call.request.content_length or 0)
        wanted = await _read(deps, call)
        deps.admission.check(call.request.content.total_bytes)
    except Refused as refusal:
        deps.observer.on_rejected(refusal.problem.code)
        raise
    if isinstance(wanted, Replayed):
        return await _answer_replay(deps, call, wanted.job_id)
    with deps.admission.admit(call.request.content.total_bytes):
        acceptance = await deps.acceptor.submit(wanted)
    match acceptance:
        case Accepted():
            _announce(deps, wanted, acceptance)
            deps.observer.on_accepted(wanted.type, wanted.queue)
            record = stored(wanted, acceptance)
            return _answer_202(deps, call, record, job_document(record, deps.public_url), is_replay=False)
        case Replayed(job_id):
            return await _answer_replay(deps, call, job_id)
        case KeyMismatch(job_id):
            deps.observer.on_replayed("conflict")
            raise _mismatch(job_id)
        case _:
            assert_never(acceptance)


async def _read(deps: ApiDependencies, call: Call) -> NewJob | Replayed:
    """The job that is asked for; or, when it would be refused by now, the one that the same request made before.

    What could be accepted once may be refused later: its ``expires_at`` has passed, its receiver's name has moved, its
    task is gone. A repeated request asks what became of the first, and must not be told that there is none. Only a
    refusal costs this look into the store.
    """
    body = await read_json(call.request, deps.max_body_bytes)
    key = idempotency_key(call.request.headers.get("Idempotency-Key"), body)
    try:
        return await _read_job(deps, call.tenant_id, body, key)
    except Refused:
        known = None if key is None else await deps.store.find_replay(call.tenant_id, key)
        if isinstance(known, Replayed):
            return known
        raise


async def _read_job(deps: ApiDependencies, tenant_id: TenantId, body: Any, key: IdempotencyKey | None) -> NewJob:
    request = to_model(body, JobRequest)
    task = deps.catalogue.find(request.type)
    payload = deps.catalogue.payload(task, request)
    check_times(request, datetime.now(UTC))
    return new_job(
        request,
        task,
        tenant_id=tenant_id,
        payload=payload,
        callback_url=None if request.callback_url is None else await deps.callbacks.vet(request.callback_url),
        idempotency=key,
    )


def _announce(deps: ApiDependencies, job: NewJob, accepted: Accepted) -> None:
    queue = Queue.work(job.queue)
    if accepted.state is JobState.QUEUED:
        deps.announcer.announce(queue, (accepted.job_id,))
    else:
        wait_s = (accepted.run_at - accepted.created_at).total_seconds()
        deps.announcer.announce_later(queue, (accepted.job_id,), wait_s)


async def _answer_replay(deps: ApiDependencies, call: Call, job_id: JobId) -> web.Response:
    deps.observer.on_replayed("same")
    detail = await find_job(deps, call.tenant_id, job_id)
    return _answer_202(deps, call, detail.job, await show_job(deps, detail), is_replay=True)


def _answer_202(
    deps: ApiDependencies, call: Call, job: JobRecord, document: dict[str, Any], *, is_replay: bool
) -> web.Response:
    location = f"{deps.public_url}/v1/jobs/{job.id}"
    headers = {"Location": location, "Operation-Location": location, "Retry-After": retry_after(job)}
    if is_replay:
        headers["Idempotency-Replayed"] = "true"
    if "respond-async" in call.request.headers.get("Prefer", ""):
        headers["Preference-Applied"] = "respond-async"
    return json_answer(document, status=202, headers=headers)


def _mismatch(job_id: str) -> Refused:
    detail = f"this Idempotency-Key was used for another request, which became {job_id}"
    error = FieldError(code="idempotency_mismatch", detail=detail, parameter="Idempotency-Key")
    return Refused(Problems.IDEMPOTENCY_MISMATCH, detail, errors=[error])
