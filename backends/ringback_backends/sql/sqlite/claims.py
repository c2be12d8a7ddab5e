"""Claiming jobs. Claims are relaxed: see ``ringback_backends.sql.postgres.claiming`` for why that loses nothing."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from ringback_backends.sql.columns import from_microseconds
from ringback_backends.sql.rows import claimed_job
from ringback_backends.sql.sqlite.batches import in_order, listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_schemas.ids import InstanceId, JobId
from ringback_schemas.jobs import ClaimedJob

# Those of the named jobs that may start, in the order named: ?1 ids, ?2 types, ?3 limit, ?4 now, ?5 owner. Written as
# they will be once claimed. A payload is JSON, so it is text.
STARTABLE = """
SELECT json_group_array(json_array(
    id, tenant_id, type, queue, priority, 'running', attempt + 1, uncharged, losses, max_attempts, timeout_s,
    created_at, run_at, expires_at, ?4, finished_at, ?5, is_cancel_requested, callback_url, callback_events, tags,
    payload))
FROM (
    SELECT j.*, r.callback_url, r.callback_events, r.tags, CAST(r.payload AS TEXT) AS payload
    FROM json_each(?1) AS i
    CROSS JOIN jobs AS j ON j.id = i.value
    CROSS JOIN job_requests AS r ON r.tenant_id = j.tenant_id AND r.job_id = j.id
    WHERE j.state IN ('queued', 'scheduled', 'retrying') AND j.run_at <= ?4
      AND (j.expires_at IS NULL OR j.expires_at > ?4) AND j.type IN (SELECT value FROM json_each(?2))
    ORDER BY i.key
    LIMIT ?3
)
"""

# ?1 ids, ?2 owner, ?3 now
CLAIM = """
UPDATE jobs SET state = 'running', owner = ?2, attempt = attempt + 1, started_at = ?3
WHERE id IN (SELECT value FROM json_each(?1))
"""

# The queues, types and priorities with something due, greatest priority first: ?1 queues, ?2 types, ?3 now. Steps from
# priority to priority, one index probe each: see ``ringback_backends.sql.postgres.claims.CLAIM_DUE``.
LANES = """
WITH RECURSIVE lane (queue, type, priority) AS (
    SELECT q.value, t.value, (
        SELECT j.priority FROM jobs AS j INDEXED BY jobs_waiting
        WHERE j.queue = q.value AND j.type = t.value AND j.state IN ('queued', 'scheduled', 'retrying')
        ORDER BY j.priority DESC LIMIT 1)
    FROM json_each(?1) AS q CROSS JOIN json_each(?2) AS t
  UNION ALL
    SELECT l.queue, l.type, (
        SELECT j.priority FROM jobs AS j INDEXED BY jobs_waiting
        WHERE j.queue = l.queue AND j.type = l.type AND j.priority < l.priority
          AND j.state IN ('queued', 'scheduled', 'retrying')
        ORDER BY j.priority DESC LIMIT 1)
    FROM lane AS l WHERE l.priority IS NOT NULL
)
SELECT json_group_array(json_array(queue, type, priority))
FROM (
    SELECT l.queue, l.type, l.priority FROM lane AS l
    WHERE EXISTS (
        SELECT 1 FROM jobs AS j INDEXED BY jobs_waiting
        WHERE j.queue = l.queue AND j.type = l.type AND j.priority = l.priority AND j.run_at <= ?3
          AND j.state IN ('queued', 'scheduled', 'retrying'))
    ORDER BY l.priority DESC
)
"""

# What is due in one lane, oldest first: ?1 queue, ?2 type, ?3 priority, ?4 now, ?5 limit.
DUE = """
SELECT json_group_array(json_array(run_at, id))
FROM (
    SELECT j.run_at, j.id FROM jobs AS j INDEXED BY jobs_waiting
    WHERE j.queue = ?1 AND j.type = ?2 AND j.priority = ?3 AND j.run_at <= ?4
      AND j.state IN ('queued', 'scheduled', 'retrying') AND (j.expires_at IS NULL OR j.expires_at > ?4)
    ORDER BY j.run_at, j.id
    LIMIT ?5
)
"""

_TIMES = (11, 12, 13, 14, 15)
"""Columns of a job record that hold times."""


class SqliteClaims:
    """Hands jobs out to be run."""

    _sqlite: SqliteDatabase

    async def claim_jobs(
        self, owner: InstanceId, job_ids: Sequence[JobId], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """See ``JobStore.claim_jobs``."""
        ids = list(dict.fromkeys(job_ids))

        def claim(connection: sqlite3.Connection) -> list[list[Any]]:
            return _claim(connection, owner, ids, task_types, limit)

        rows = await self._sqlite.write_bare("claim_jobs", claim, is_relaxed=True)
        return [_claimed(row) for row in rows]

    async def claim_due_jobs(
        self, owner: InstanceId, queues: Sequence[str], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """See ``JobStore.claim_due_jobs``."""

        def claim(connection: sqlite3.Connection) -> list[list[Any]]:
            ids = _due(connection, queues, task_types, limit)
            return _claim(connection, owner, ids, task_types, limit) if ids else []

        rows = await self._sqlite.write_bare("claim_due_jobs", claim, is_relaxed=True)
        return [_claimed(row) for row in rows]


def _claim(
    connection: sqlite3.Connection, owner: InstanceId, ids: Sequence[str], task_types: Sequence[str], limit: int
) -> list[list[Any]]:
    moment = now_us()
    rows = rows_of(connection, STARTABLE, listed(ids), listed(task_types), limit, moment, owner)
    if rows:
        connection.execute(CLAIM, (listed([row[0] for row in rows]), owner, moment))
    return in_order(rows, ids)


def _due(connection: sqlite3.Connection, queues: Sequence[str], task_types: Sequence[str], limit: int) -> list[str]:
    """Ids of what may start, greatest priority first, then the oldest ``run_at``."""
    moment = now_us()
    lanes = rows_of(connection, LANES, listed(sorted(set(queues))), listed(sorted(set(task_types))), moment)
    found: list[str] = []
    for priority in sorted({lane[2] for lane in lanes}, reverse=True):
        room = limit - len(found)
        if room <= 0:
            break
        due = [row for lane in lanes if lane[2] == priority for row in rows_of(connection, DUE, *lane, moment, room)]
        found += [job_id for _, job_id in sorted(due)[:room]]
    return found


def _claimed(row: list[Any]) -> ClaimedJob:
    for index in _TIMES:
        if row[index] is not None:
            row[index] = from_microseconds(row[index])
    row[17] = bool(row[17])
    row[21] = row[21].encode()
    return claimed_job(row)
