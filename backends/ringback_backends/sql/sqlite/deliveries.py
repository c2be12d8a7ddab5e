"""Claiming deliveries. Claims are relaxed as those of jobs are."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from ringback_backends.sql.columns import from_microseconds
from ringback_backends.sql.rows import claimed_delivery
from ringback_backends.sql.sqlite.batches import in_order, listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.ids import DeliveryId, InstanceId

# Those of the named deliveries that are due, in the order named: ?1 ids, ?2 limit, ?3 now, ?4 owner. Written as they
# will be once claimed. A body is JSON, so it is text.
SENDABLE = """
SELECT json_group_array(json_array(
    id, tenant_id, event_id, event_type, job_id, kind, endpoint_id, url, destination, 'sending', attempt + 1, tries,
    created_at, next_attempt_at, finished_at, ?4, body, job_created_at))
FROM (
    SELECT d.*, t.event_id, t.event_type, t.job_id, t.kind, t.endpoint_id, t.url, t.created_at,
           CAST(e.body AS TEXT) AS body, e.job_created_at
    FROM json_each(?1) AS i
    CROSS JOIN deliveries AS d ON d.id = i.value
    CROSS JOIN delivery_targets AS t ON t.tenant_id = d.tenant_id AND t.delivery_id = d.id
    CROSS JOIN events AS e ON e.id = t.event_id
    WHERE d.state IN ('pending', 'retrying') AND d.next_attempt_at <= ?3 AND d.waits_for IS NOT 'fifo'
    ORDER BY i.key
    LIMIT ?2
)
"""

# ?1 ids, ?2 owner, ?3 now
CLAIM = """
UPDATE deliveries SET state = 'sending', owner = ?2, attempt = attempt + 1, claimed_at = ?3, waits_for = NULL
WHERE id IN (SELECT value FROM json_each(?1))
"""

# Ids of what is due, the longest overdue first: ?1 now, ?2 limit.
DUE = """
SELECT json_group_array(json_array(next_attempt_at, id))
FROM (
    SELECT next_attempt_at, id FROM deliveries INDEXED BY deliveries_due
    WHERE state IN ('pending', 'retrying') AND waits_for IS NULL AND next_attempt_at <= ?1
    ORDER BY next_attempt_at, id
    LIMIT ?2
)
"""

_TIMES = (12, 13, 14, 17)
"""Columns of a claimed delivery that hold times."""


class SqliteDeliveries:
    """Hands deliveries out to be sent."""

    _sqlite: SqliteDatabase

    async def claim_deliveries(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], limit: int
    ) -> list[ClaimedDelivery]:
        """See ``DeliveryStore.claim_deliveries``."""
        ids = list(dict.fromkeys(delivery_ids))

        def claim(connection: sqlite3.Connection) -> list[list[Any]]:
            return claim_rows(connection, owner, ids, limit)

        rows = await self._sqlite.write_bare("claim_deliveries", claim, is_relaxed=True)
        return [claimed(row) for row in rows]

    async def claim_due_deliveries(self, owner: InstanceId, limit: int) -> list[ClaimedDelivery]:
        """See ``DeliveryStore.claim_due_deliveries``."""

        def claim(connection: sqlite3.Connection) -> list[list[Any]]:
            due = sorted(rows_of(connection, DUE, now_us(), limit))
            return claim_rows(connection, owner, [delivery_id for _, delivery_id in due], limit)

        rows = await self._sqlite.write_bare("claim_due_deliveries", claim, is_relaxed=True)
        return [claimed(row) for row in rows]


def claim_rows(connection: sqlite3.Connection, owner: InstanceId, ids: Sequence[str], limit: int) -> list[list[Any]]:
    """Claim the first of these that are due; rows for ``claimed``, in the order of the ids."""
    if not ids:
        return []
    moment = now_us()
    rows = rows_of(connection, SENDABLE, listed(ids), limit, moment, owner)
    if rows:
        connection.execute(CLAIM, (listed([row[0] for row in rows]), owner, moment))
    return in_order(rows, ids)


def claimed(row: list[Any]) -> ClaimedDelivery:
    """The delivery of a row that ``claim_rows`` gave."""
    for index in _TIMES:
        if row[index] is not None:
            row[index] = from_microseconds(row[index])
    row[16] = row[16].encode()
    return claimed_delivery(row)
