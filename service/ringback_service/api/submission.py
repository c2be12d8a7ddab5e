"""From a valid request to the job that is stored, and to the job resource of the 202. Pure."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any

from ringback.task import Task
from ringback_schemas.http import JobRequest
from ringback_schemas.http.jobs import MAX_DELAY_S
from ringback_schemas.ids import TenantId, new_job_id
from ringback_schemas.jobs import Accepted, IdempotencyKey, JobRecord, NewJob
from ringback_schemas.problems import Problems
from ringback_service.api import strict_json
from ringback_service.api.bodies import invalid
from ringback_service.api.refusals import FieldError, Refused

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(header: str | None, body: Any) -> IdempotencyKey | None:
    """The key of a request, bare or quoted as a structured-field string (RFC 8941, 3.3.3); absent without a header.

    Raises:
        Refused: the header holds anything but 1 to 255 visible ASCII characters.
    """
    if header is None:
        return None
    quoted = _QUOTED.fullmatch(header.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header.strip()
    if _KEY.fullmatch(key) is None:
        detail = "must be 1 to 255 visible ASCII characters, quoted or not"
        error = FieldError(code="idempotency_key", detail=detail, parameter="Idempotency-Key")
        raise Refused(Problems.MALFORMED_REQUEST, f"the Idempotency-Key {detail}", errors=[error])
    return IdempotencyKey(key, hashlib.sha256(strict_json.canonical(body)).digest())


def check_times(request: JobRequest, now: datetime) -> None:
    """Do nothing when the request's times can be kept.

    Raises:
        Refused: ``run_at`` is too far away, or ``expires_at`` passes before the job may start.
    """
    starts_at = request.run_at if request.run_at is not None else now + timedelta(seconds=request.delay_s or 0.0)
    if (starts_at - now).total_seconds() > MAX_DELAY_S:
        detail = f"must not be more than {MAX_DELAY_S / 86_400:g} days away"
        raise invalid([FieldError(code="too_far", detail=detail, pointer="/run_at")])
    if request.expires_at is not None and request.expires_at <= max(now, starts_at):
        detail = "must be in the future, and later than the job may start"
        raise invalid([FieldError(code="expires_too_early", detail=detail, pointer="/expires_at")])


def new_job(
    request: JobRequest,
    task: Task,
    *,
    tenant_id: TenantId,
    payload: bytes,
    callback_url: str | None,
    idempotency: IdempotencyKey | None,
) -> NewJob:
    """The job to be stored; what the request leaves open is the task's to say."""
    return NewJob(
        id=new_job_id(),
        tenant_id=tenant_id,
        type=task.name,
        payload=payload,
        queue=request.queue or task.queue,
        callback_url=callback_url,
        callback_events=tuple(request.callback_events or ()),
        tags=tuple(request.tags),
        run_at=request.run_at,
        delay_s=request.delay_s,
        expires_at=request.expires_at,
        timeout_s=request.timeout_s or task.timeout_s,
        max_attempts=request.max_attempts or task.max_attempts,
        idempotency=idempotency,
    )


def stored(job: NewJob, accepted: Accepted) -> JobRecord:
    """The job as the store has it now."""
    return JobRecord(
        id=accepted.job_id,
        tenant_id=job.tenant_id,
        type=job.type,
        queue=job.queue,
        priority=job.priority,
        state=accepted.state,
        attempt=0,
        uncharged=0,
        losses=0,
        max_attempts=job.max_attempts,
        timeout_s=job.timeout_s,
        created_at=accepted.created_at,
        run_at=accepted.run_at,
        expires_at=job.expires_at,
        started_at=None,
        finished_at=None,
        owner=None,
        is_cancel_requested=False,
        callback_url=job.callback_url,
        callback_events=job.callback_events,
        tags=job.tags,
    )
