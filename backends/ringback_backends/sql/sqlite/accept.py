"""Accepting jobs: one transaction for rows, requests, tags and idempotency keys."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson

from ringback_backends.sql.columns import from_microseconds, to_microseconds
from ringback_backends.sql.rows import to_json
from ringback_backends.sql.sqlite.batches import Insert, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.jobs import Acceptance, Accepted, IdempotencyKey, KeyMismatch, NewJob, Replayed
from ringback_schemas.states import JobState

INSERT_JOBS = Insert(
    "jobs",
    *("id", "tenant_id", "type", "queue", "priority", "state", "attempt", "uncharged", "losses", "max_attempts"),
    *("timeout_s", "created_at", "run_at", "expires_at", "is_cancel_requested"),
)
INSERT_REQUESTS = Insert("job_requests", "tenant_id", "job_id", "payload", "callback_url", "callback_events", "tags")
INSERT_TAGS = Insert("job_tags", "tenant_id", "tag", "job_id")
INSERT_KEYS = Insert("idempotency_keys", "tenant_id", "key", "fingerprint", "job_id", "created_at")

# Those of the pairs of tenant and key that are taken, each with its job and the fingerprint in hexadecimal.
HOLDERS = """
SELECT json_group_array(json_array(k.tenant_id, k.key, k.job_id, hex(k.fingerprint)))
FROM json_each(?) AS i
JOIN idempotency_keys AS k ON k.tenant_id = i.value ->> 0 AND k.key = i.value ->> 1
"""

Holder = tuple[JobId, bytes]
"""The job that holds a key, and the fingerprint of its request."""


class SqliteAccept:
    """Stores new jobs."""

    _sqlite: SqliteDatabase

    async def accept(self, jobs: Sequence[NewJob]) -> list[Acceptance]:
        """See ``JobStore.accept``."""
        return await self._sqlite.write_bare("accept", lambda connection: _accept(connection, jobs))


def _accept(connection: sqlite3.Connection, jobs: Sequence[NewJob]) -> list[Acceptance]:
    moment = from_microseconds(now_us())
    keyed = [(job, job.idempotency) for job in jobs if job.idempotency is not None]
    replays = _take_keys(connection, keyed, moment) if keyed else {}
    accepted = {job.id: _accepted(job, moment) for job in jobs if job.id not in replays}
    fresh = [(job, accepted[job.id]) for job in jobs if job.id in accepted]
    INSERT_JOBS.run(connection, [_job_row(job, answer) for job, answer in fresh])
    INSERT_REQUESTS.run(connection, [_request_row(job) for job, _ in fresh])
    INSERT_TAGS.run(connection, [(job.tenant_id, tag, job.id) for job, _ in fresh for tag in dict.fromkeys(job.tags)])
    return [replays.get(job.id) or accepted[job.id] for job in jobs]


def _take_keys(
    connection: sqlite3.Connection, keyed: Sequence[tuple[NewJob, IdempotencyKey]], moment: datetime
) -> dict[JobId, Replayed | KeyMismatch]:
    """Store the keys that are free; the answers for the jobs whose keys are not."""
    holders = _holders(connection, keyed)
    replays: dict[JobId, Replayed | KeyMismatch] = {}
    rows = []
    for job, key in keyed:
        job_id, fingerprint = holders.setdefault((job.tenant_id, key.key), (job.id, key.fingerprint))
        if job_id == job.id:
            rows.append((job.tenant_id, key.key, key.fingerprint, job.id, to_microseconds(moment)))
        else:
            replays[job.id] = Replayed(job_id) if fingerprint == key.fingerprint else KeyMismatch(job_id)
    INSERT_KEYS.run(connection, rows)
    return replays


def _holders(
    connection: sqlite3.Connection, keyed: Sequence[tuple[NewJob, IdempotencyKey]]
) -> dict[tuple[TenantId, str], Holder]:
    pairs = orjson.dumps([(job.tenant_id, key.key) for job, key in keyed]).decode()
    return {
        (tenant_id, key): (job_id, bytes.fromhex(fingerprint))
        for tenant_id, key, job_id, fingerprint in rows_of(connection, HOLDERS, pairs)
    }


def _accepted(job: NewJob, moment: datetime) -> Accepted:
    run_at = job.run_at or (moment + timedelta(seconds=job.delay_s) if job.delay_s else moment)
    state = JobState.SCHEDULED if run_at > moment else JobState.QUEUED
    return Accepted(job.id, state, moment, run_at)


def _job_row(job: NewJob, answer: Accepted) -> tuple[object, ...]:
    return (
        *(job.id, job.tenant_id, job.type, job.queue, job.priority, answer.state.value, 0, 0, 0, job.max_attempts),
        *(job.timeout_s, to_microseconds(answer.created_at), to_microseconds(answer.run_at)),
        None if job.expires_at is None else to_microseconds(job.expires_at),
        0,
    )


def _request_row(job: NewJob) -> tuple[object, ...]:
    return (
        *(job.tenant_id, job.id, job.payload, job.callback_url),
        to_json(job.callback_events) if job.callback_events else "[]",
        to_json(job.tags) if job.tags else "[]",
    )
