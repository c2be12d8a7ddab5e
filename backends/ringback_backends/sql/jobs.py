"""What is asked of jobs beside accepting, claiming and finishing: the same queries for both databases."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, insert, literal, null, select, true, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.inserting import insert_into
from ringback_backends.sql.listing import newest_first
from ringback_backends.sql.rows import JOB_WIDTH, job_record
from ringback_backends.sql.tables import (
    idempotency_keys,
    job_attempts,
    job_progress,
    job_requests,
    job_results,
    job_tags,
    jobs,
)
from ringback_schemas.ids import InstanceId, JobId, TenantId, earliest_id
from ringback_schemas.jobs import (
    AttemptOutcome,
    IdempotencyKey,
    JobAttempt,
    JobDetail,
    JobFilter,
    JobRecord,
    JobRef,
    KeyMismatch,
    Progress,
    Replayed,
)
from ringback_schemas.states import JobState

RECORD_COLUMNS = (*jobs.c, job_requests.c.callback_url, job_requests.c.callback_events, job_requests.c.tags)
"""What ``job_record`` reads."""

_REQUEST = and_(job_requests.c.tenant_id == jobs.c.tenant_id, job_requests.c.job_id == jobs.c.id)

RECORDS = select(*RECORD_COLUMNS).join_from(jobs, job_requests, _REQUEST)
"""Jobs as records."""

DETAIL = (
    select(
        *RECORD_COLUMNS,
        job_requests.c.payload,
        job_results.c.result,
        job_results.c.error,
        job_progress.c.fraction,
        job_progress.c.message,
        job_progress.c.updated_at,
    )
    .join_from(jobs, job_requests, _REQUEST)
    .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
    .outerjoin(job_progress, job_progress.c.job_id == jobs.c.id)
)
"""Jobs with all that has one row each."""

CLOCK_SKEW = timedelta(days=1)
"""Ids are made by the processes' clocks, ``created_at`` by the database's: so far apart they never are."""

WAITS = jobs.c.state.in_([literal(state, literal_execute=True) for state in ("queued", "scheduled", "retrying")])
"""Spelt as in the partial indexes."""

RUNS = jobs.c.state == literal("running", literal_execute=True)


class JobQueries:
    """Everything about jobs that is not set-based."""

    _database: Database

    async def find_replay(self, tenant_id: TenantId, key: IdempotencyKey) -> Replayed | KeyMismatch | None:
        """See ``JobStore.find_replay``."""
        held = and_(idempotency_keys.c.tenant_id == tenant_id, idempotency_keys.c.key == key.key)
        query = select(idempotency_keys.c.job_id, idempotency_keys.c.fingerprint).where(held)
        row = await self._database.read("find_replay", lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        return Replayed(row.job_id) if row.fingerprint == key.fingerprint else KeyMismatch(row.job_id)

    async def release_jobs(self, owner: InstanceId, jobs: Sequence[JobRef]) -> list[bool]:
        """See ``JobStore.release_jobs``."""
        return await self._database.write("release_jobs", lambda connection: _release(connection, owner, jobs))

    async def save_progress(
        self, owner: InstanceId, job_id: JobId, attempt: int, fraction: float | None, message: str | None
    ) -> bool:
        """See ``JobStore.save_progress``."""
        held = and_(jobs.c.id == job_id, jobs.c.owner == owner, jobs.c.attempt == attempt, RUNS)
        row = select(jobs.c.id, literal(fraction), literal(message), now()).where(held)

        def save(connection: Connection) -> bool:
            statement = insert_into(connection, job_progress)
            statement = statement.from_select(["job_id", "fraction", "message", "updated_at"], row)
            told = {name: statement.excluded[name] for name in ("fraction", "message", "updated_at")}
            return (
                connection.execute(statement.on_conflict_do_update(index_elements=["job_id"], set_=told)).rowcount > 0
            )

        return await self._database.write("save_progress", save, is_relaxed=True)

    async def request_cancel(self, tenant_id: TenantId, job_id: JobId) -> JobRecord | None:
        """See ``JobStore.request_cancel``."""
        mine = and_(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id)

        def request(connection: Connection) -> JobRecord | None:
            connection.execute(update(jobs).where(mine, RUNS).values(is_cancel_requested=true()))
            row = connection.execute(RECORDS.where(mine)).one_or_none()
            return None if row is None else job_record(row)

        return await self._database.write("request_cancel", request)

    async def held_jobs(self, owner: InstanceId) -> list[JobRef]:
        """See ``JobStore.held_jobs``."""
        return await self._refs("held_jobs", and_(jobs.c.owner == owner, RUNS))

    async def cancel_requests(self, owner: InstanceId) -> list[JobRef]:
        """See ``JobStore.cancel_requests``."""
        return await self._refs("cancel_requests", and_(jobs.c.owner == owner, jobs.c.is_cancel_requested, RUNS))

    async def expired_jobs(self, limit: int) -> list[JobRecord]:
        """See ``JobStore.expired_jobs``."""
        overdue = and_(jobs.c.expires_at.is_not(None), jobs.c.expires_at <= now(), WAITS)
        query = RECORDS.where(overdue).order_by(jobs.c.expires_at).limit(limit)
        return await self._records("expired_jobs", query)

    async def get_job(self, tenant_id: TenantId, job_id: JobId) -> JobDetail | None:
        """See ``JobStore.get_job``."""
        return await self._database.read("get_job", lambda connection: _detail(connection, tenant_id, job_id))

    async def list_jobs(
        self, tenant_id: TenantId, job_filter: JobFilter, before: JobId | None, limit: int
    ) -> list[JobRecord]:
        """See ``JobStore.list_jobs``."""
        query = newest_first(_listing(tenant_id, job_filter), job_requests.c.job_id, before, limit)
        return await self._records("list_jobs", query)

    async def _refs(self, operation: str, condition: ColumnElement[bool]) -> list[JobRef]:
        query = select(jobs.c.id, jobs.c.attempt, jobs.c.queue).where(condition).order_by(jobs.c.id)
        return await self._database.read(
            operation, lambda connection: [JobRef(*row) for row in connection.execute(query)]
        )

    async def _records(self, operation: str, query: Select[Any]) -> list[JobRecord]:
        return await self._database.read(
            operation, lambda connection: [job_record(row) for row in connection.execute(query)]
        )


def _listing(tenant_id: TenantId, wanted: JobFilter) -> Select[Any]:
    query = RECORDS.where(job_requests.c.tenant_id == tenant_id)
    if wanted.states:
        query = query.where(jobs.c.state.in_([literal(state.value, literal_execute=True) for state in wanted.states]))
    if wanted.type is not None:
        query = query.where(jobs.c.type == wanted.type)
    if wanted.queue is not None:
        query = query.where(jobs.c.queue == wanted.queue)
    if wanted.created_after is not None:
        query = query.where(jobs.c.created_at > wanted.created_after)
        # Ids tell their age, and the list goes by id: so it ends here, instead of going through all that is older.
        first = earliest_id("job", max(0, int((wanted.created_after.timestamp() - CLOCK_SKEW.total_seconds()) * 1000)))
        query = query.where(job_requests.c.job_id >= first)
    if wanted.tag is not None:
        tagged = and_(job_tags.c.tenant_id == tenant_id, job_tags.c.tag == wanted.tag)
        query = query.join(job_tags, job_tags.c.job_id == jobs.c.id).where(tagged)
    return query


def _detail(connection: Connection, tenant_id: TenantId, job_id: JobId) -> JobDetail | None:
    row = connection.execute(DETAIL.where(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id)).one_or_none()
    if row is None:
        return None
    job = job_record(row)
    payload, result, error, fraction, message, updated_at = row[JOB_WIDTH:]
    return JobDetail(
        job=job,
        payload=payload,
        result=result,
        error=error,
        progress=None if updated_at is None else Progress(fraction, message, updated_at),
        attempts=_attempts(connection, job_id) if job.attempt else (),
    )


def _attempts(connection: Connection, job_id: JobId) -> tuple[JobAttempt, ...]:
    query = (
        select(
            job_attempts.c.attempt,
            job_attempts.c.outcome,
            job_attempts.c.started_at,
            job_attempts.c.ended_at,
            job_attempts.c.error,
            job_attempts.c.instance_id,
        )
        .where(job_attempts.c.job_id == job_id)
        .order_by(job_attempts.c.attempt)
    )
    return tuple(JobAttempt(row[0], AttemptOutcome(row[1]), *row[2:]) for row in connection.execute(query))


def _release(connection: Connection, owner: InstanceId, released: Sequence[JobRef]) -> list[bool]:
    """Locks in id order, for the reason that ``contracts.jobs`` gives; answers in the order given."""
    named = and_(jobs.c.id.in_([ref.job_id for ref in released]), jobs.c.owner == owner, RUNS)
    held = select(jobs.c.id, jobs.c.attempt).where(named).order_by(jobs.c.id).with_for_update()
    attempts = {row.id: row.attempt for row in connection.execute(held)}
    mine = [ref for ref in dict.fromkeys(released) if attempts.get(ref.job_id) == ref.attempt]
    give_back(connection, [ref.job_id for ref in mine], AttemptOutcome.RELEASED)
    unclaimed = set(mine)
    return [_take(unclaimed, ref) for ref in released]


def _take(refs: set[JobRef], ref: JobRef) -> bool:
    """Whether the set has it; only once, for a job is given back once."""
    if ref not in refs:
        return False
    refs.remove(ref)
    return True


def give_back(connection: Connection, job_ids: Sequence[JobId], outcome: AttemptOutcome) -> None:
    """Queue running jobs again, uncharged, with their attempt on record. The caller holds them locked.

    They keep their ``run_at``, which has come, and so their place among the others.
    """
    if not job_ids:
        return
    named = jobs.c.id.in_(job_ids)
    columns = ["job_id", "attempt", "outcome", "started_at", "ended_at", "error", "instance_id"]
    ended = select(jobs.c.id, jobs.c.attempt, literal(outcome.value), jobs.c.started_at, now(), null(), jobs.c.owner)
    connection.execute(insert(job_attempts).from_select(columns, ended.where(named)))
    changes: dict[str, Any] = {"state": JobState.QUEUED.value, "owner": None, "uncharged": jobs.c.uncharged + 1}
    if outcome is AttemptOutcome.LOST:
        changes["losses"] = jobs.c.losses + 1
    connection.execute(update(jobs).where(named).values(changes))
