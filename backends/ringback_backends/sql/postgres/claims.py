"""Claiming jobs. Claims are relaxed: see ``claiming``."""

from collections.abc import Sequence

from ringback_backends.sql.postgres.claiming import CLAIMED_JOBS, RELAXED, take_jobs
from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.rows import claimed_job
from ringback_schemas.ids import InstanceId, JobId
from ringback_schemas.jobs import ClaimedJob
from ringback_schemas.states import JOB_READY

# $1 owner, $2 ids, $3 types, $4 limit, $5 ready states. The states are a parameter so that no plan can mistake a
# partial index for the way to the ids.
CLAIM = f"""
WITH {RELAXED}, picked AS MATERIALIZED (
    SELECT j.id, i.place
    FROM unnest($2::text[]) WITH ORDINALITY AS i (id, place)
    JOIN jobs j ON j.id = i.id
    WHERE j.state = ANY ($5::text[]) AND j.run_at <= now() AND (j.expires_at IS NULL OR j.expires_at > now())
      AND j.type = ANY ($3::text[])
    ORDER BY i.place
    LIMIT $4
    FOR UPDATE OF j SKIP LOCKED
), {take_jobs("place")}
{CLAIMED_JOBS}
ORDER BY c.place
"""  # noqa: S608 - our own words

# $1 owner, $2 queues, $3 types, $4 limit. ``lane`` steps through the priorities that wait for each queue and type, one
# index probe each; a lane's due rows are a range of the index, so that neither far-future rows nor those of other types
# are read. More candidates than wanted, for some may be locked by another poll.
CLAIM_DUE = f"""
WITH RECURSIVE {RELAXED}, lane (queue, type, priority) AS (
    SELECT q.queue, t.type, (
        SELECT j.priority FROM jobs j
        WHERE j.queue = q.queue AND j.type = t.type AND j.state IN ('queued', 'scheduled', 'retrying')
        ORDER BY j.priority DESC LIMIT 1)
    FROM unnest($2::text[]) AS q (queue) CROSS JOIN unnest($3::text[]) AS t (type)
  UNION ALL
    SELECT l.queue, l.type, (
        SELECT j.priority FROM jobs j
        WHERE j.queue = l.queue AND j.type = l.type AND j.priority < l.priority
          AND j.state IN ('queued', 'scheduled', 'retrying')
        ORDER BY j.priority DESC LIMIT 1)
    FROM lane l WHERE l.priority IS NOT NULL
), candidate AS MATERIALIZED (
    SELECT due.id, due.priority, due.run_at
    FROM lane l CROSS JOIN LATERAL (
        SELECT j.id, j.priority, j.run_at FROM jobs j
        WHERE j.queue = l.queue AND j.type = l.type AND j.priority = l.priority
          AND j.state IN ('queued', 'scheduled', 'retrying') AND j.run_at <= now()
          AND (j.expires_at IS NULL OR j.expires_at > now())
        ORDER BY j.run_at, j.id
        LIMIT 2 * $4::bigint) AS due
    WHERE l.priority IS NOT NULL
    ORDER BY due.priority DESC, due.run_at, due.id
    LIMIT 2 * $4::bigint
), picked AS MATERIALIZED (
    SELECT j.id, j.priority, j.run_at
    FROM candidate c JOIN jobs j ON j.id = c.id
    WHERE j.state = ANY ($5::text[]) AND j.run_at <= now()
    ORDER BY c.priority DESC, c.run_at, c.id
    LIMIT $4
    FOR UPDATE OF j SKIP LOCKED
), {take_jobs()}
{CLAIMED_JOBS}
ORDER BY c.priority DESC, c.run_at, c.id
"""  # noqa: S608 - our own words

_READY = [state.value for state in JOB_READY]


class PostgresClaims:
    """Hands jobs out to be run."""

    _pool: Pool

    async def claim_jobs(
        self, owner: InstanceId, job_ids: Sequence[JobId], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """See ``JobStore.claim_jobs``."""
        ids = list(dict.fromkeys(job_ids))
        rows = await self._pool.fetch("claim_jobs", CLAIM, owner, ids, list(task_types), limit, _READY)
        return [claimed_job(row) for row in rows]

    async def claim_due_jobs(
        self, owner: InstanceId, queues: Sequence[str], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """See ``JobStore.claim_due_jobs``."""
        lanes = list(dict.fromkeys(queues)), list(dict.fromkeys(task_types))
        rows = await self._pool.fetch("claim_due_jobs", CLAIM_DUE, owner, *lanes, limit, _READY)
        return [claimed_job(row) for row in rows]
