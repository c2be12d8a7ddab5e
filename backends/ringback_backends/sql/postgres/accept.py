"""Accepting jobs: one statement for rows, requests, tags and idempotency keys."""

from collections.abc import Sequence
from typing import Any

from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.rows import to_json
from ringback_schemas.jobs import Acceptance, Accepted, KeyMismatch, NewJob, Replayed
from ringback_schemas.states import JobState

# the jobs in ``input`` with their tags
_STORED = """stored AS (
    INSERT INTO jobs (id, tenant_id, type, queue, priority, state, attempt, uncharged, losses, max_attempts, timeout_s,
                      created_at, run_at, expires_at, is_cancel_requested)
    SELECT id, tenant_id, type, queue, priority, CASE WHEN starts_at > now() THEN 'scheduled' ELSE 'queued' END, 0, 0,
           0, max_attempts, timeout_s, now(), starts_at, expires_at, false
    FROM input
), requests AS (
    INSERT INTO job_requests (tenant_id, job_id, payload, callback_url, callback_events, tags)
    SELECT tenant_id, id, payload, callback_url, callback_events, tags FROM input
), tagged AS (
    INSERT INTO job_tags (tenant_id, tag, job_id)
    SELECT DISTINCT t.tenant_id, t.tag, t.job_id
    FROM unnest($15::text[], $16::text[], $17::text[]) AS t (tenant_id, tag, job_id)"""

# $1…$14 columns of the new jobs, $15…$17 their tags.
# Answers, for each stored job, its place, state, run_at and the time of acceptance.
ACCEPT = f"""
WITH input AS MATERIALIZED (
    SELECT *, coalesce(run_at, now() + make_interval(secs => coalesce(delay_s, 0))) AS starts_at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::float8[],
                $8::timestamptz[], $9::float8[], $10::integer[], $11::bytea[], $12::text[], $13::text[], $14::text[])
    WITH ORDINALITY AS i (id, tenant_id, type, queue, priority, run_at, delay_s, expires_at, timeout_s, max_attempts,
                          payload, callback_url, callback_events, tags, place)
), {_STORED}
)
SELECT place, starts_at > now(), starts_at, now() FROM input
"""  # noqa: S608 - our own words

# As ACCEPT, for calls with idempotency keys ($18 key, $19 fingerprint, per job): only jobs whose key is new are stored.
# Keys are inserted in their order, so that two calls with the same keys wait for each other instead of deadlocking; the
# one that waited then finds the key taken.
ACCEPT_KEYED = f"""
WITH request AS MATERIALIZED (
    SELECT *, coalesce(run_at, now() + make_interval(secs => coalesce(delay_s, 0))) AS starts_at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::float8[],
                $8::timestamptz[], $9::float8[], $10::integer[], $11::bytea[], $12::text[], $13::text[], $14::text[],
                $18::text[], $19::bytea[])
    WITH ORDINALITY AS i (id, tenant_id, type, queue, priority, run_at, delay_s, expires_at, timeout_s, max_attempts,
                          payload, callback_url, callback_events, tags, key, fingerprint, place)
), keyed AS (
    INSERT INTO idempotency_keys (tenant_id, key, fingerprint, job_id, created_at)
    SELECT tenant_id, key, fingerprint, id, now() FROM request WHERE key IS NOT NULL
    ORDER BY tenant_id COLLATE "C", key COLLATE "C", place
    ON CONFLICT DO NOTHING
    RETURNING job_id
), input AS MATERIALIZED (
    SELECT * FROM request WHERE key IS NULL OR id IN (SELECT job_id FROM keyed)
), {_STORED}
    WHERE (t.job_id IN (SELECT id FROM input)) IS TRUE
)
SELECT place, starts_at > now(), starts_at, now() FROM input
"""  # noqa: S608 - our own words

# The jobs that hold given keys, by place. Runs after ACCEPT_KEYED, whose snapshot may be older than its winner.
HOLDERS = """
SELECT i.place, k.job_id, k.fingerprint
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (tenant_id, key, place)
JOIN idempotency_keys k ON k.tenant_id = i.tenant_id AND k.key = i.key
"""


class PostgresAccept:
    """Stores new jobs."""

    _pool: Pool

    async def accept(self, jobs: Sequence[NewJob]) -> list[Acceptance]:
        """See ``JobStore.accept``."""
        answers: dict[int, Acceptance] = {}
        waiting = list(range(len(jobs)))
        while waiting:
            answers |= await self._store([(place, jobs[place]) for place in waiting])
            refused = [(place, jobs[place]) for place in waiting if place not in answers]
            if refused:
                answers |= await self._replays(refused)
            # a key that was taken a moment ago and is gone now has expired: it is free again
            waiting = [place for place, _ in refused if place not in answers]
        return [answers[place] for place in range(len(jobs))]

    async def _store(self, placed: Sequence[tuple[int, NewJob]]) -> dict[int, Acceptance]:
        jobs = [job for _, job in placed]
        arguments = _columns(jobs)
        if any(job.idempotency is not None for job in jobs):
            keys = [job.idempotency and job.idempotency.key for job in jobs]
            fingerprints = [job.idempotency and job.idempotency.fingerprint for job in jobs]
            rows = await self._pool.fetch("accept", ACCEPT_KEYED, *arguments, keys, fingerprints)
        else:
            rows = await self._pool.fetch("accept", ACCEPT, *arguments)
        accepted: dict[int, Acceptance] = {}
        for ordinal, is_later, run_at, created_at in rows:
            place, job = placed[ordinal - 1]
            state = JobState.SCHEDULED if is_later else JobState.QUEUED
            accepted[place] = Accepted(job.id, state, created_at, run_at)
        return accepted

    async def _replays(self, placed: Sequence[tuple[int, NewJob]]) -> dict[int, Acceptance]:
        keyed = [(place, job, job.idempotency) for place, job in placed if job.idempotency is not None]
        tenants = [job.tenant_id for _, job, _ in keyed]
        rows = await self._pool.fetch("accept", HOLDERS, tenants, [key.key for _, _, key in keyed])
        replays: dict[int, Acceptance] = {}
        for ordinal, job_id, fingerprint in rows:
            place, _, key = keyed[ordinal - 1]
            replays[place] = Replayed(job_id) if key.fingerprint == fingerprint else KeyMismatch(job_id)
        return replays


def _columns(jobs: Sequence[NewJob]) -> list[list[Any]]:
    """The jobs by column, then their tags, flat."""
    tags = [(job.tenant_id, tag, job.id) for job in jobs for tag in job.tags]
    return [
        [job.id for job in jobs],
        [job.tenant_id for job in jobs],
        [job.type for job in jobs],
        [job.queue for job in jobs],
        [job.priority for job in jobs],
        [job.run_at for job in jobs],
        [job.delay_s for job in jobs],
        [job.expires_at for job in jobs],
        [job.timeout_s for job in jobs],
        [job.max_attempts for job in jobs],
        [job.payload for job in jobs],
        [job.callback_url for job in jobs],
        [to_json(job.callback_events) if job.callback_events else "[]" for job in jobs],
        [to_json(job.tags) if job.tags else "[]" for job in jobs],
        [tenant_id for tenant_id, _, _ in tags],
        [tag for _, tag, _ in tags],
        [job_id for _, _, job_id in tags],
    ]
