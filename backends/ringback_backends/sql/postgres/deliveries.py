"""Claiming deliveries. Claims are relaxed as those of jobs are (see ``claiming``)."""

from collections.abc import Sequence

from ringback_backends.sql.postgres.claiming import CLAIMED_DELIVERIES, RELAXED, take_deliveries
from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.rows import claimed_delivery
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.states import DELIVERY_READY

# $1 owner, $2 ids, $3 limit, $4 ready states (a parameter: see ``claims.CLAIM``)
CLAIM = f"""
WITH {RELAXED}, picked AS MATERIALIZED (
    SELECT d.id, i.place
    FROM unnest($2::text[]) WITH ORDINALITY AS i (id, place)
    JOIN deliveries d ON d.id = i.id
    WHERE d.state = ANY ($4::text[]) AND d.next_attempt_at <= now() AND d.waits_for IS DISTINCT FROM 'fifo'
    ORDER BY i.place
    LIMIT $3
    FOR UPDATE OF d SKIP LOCKED
), {take_deliveries("place")}
{CLAIMED_DELIVERIES}
ORDER BY c.place
"""  # noqa: S608 - our own words

# $1 owner, $2 limit. The condition is spelt as in the index ``deliveries_due``, which gives the order too.
CLAIM_DUE = f"""
WITH {RELAXED}, picked AS MATERIALIZED (
    SELECT d.id, d.next_attempt_at
    FROM deliveries d
    WHERE d.state IN ('pending', 'retrying') AND d.waits_for IS NULL AND d.next_attempt_at <= now()
    ORDER BY d.next_attempt_at, d.id
    LIMIT $2
    FOR UPDATE OF d SKIP LOCKED
), {take_deliveries()}
{CLAIMED_DELIVERIES}
ORDER BY c.next_attempt_at, c.id
"""  # noqa: S608 - our own words

_READY = [state.value for state in DELIVERY_READY]


class PostgresDeliveries:
    """Hands deliveries out to be sent."""

    _pool: Pool

    async def claim_deliveries(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], limit: int
    ) -> list[ClaimedDelivery]:
        """See ``DeliveryStore.claim_deliveries``."""
        ids = list(dict.fromkeys(delivery_ids))
        rows = await self._pool.fetch("claim_deliveries", CLAIM, owner, ids, limit, _READY)
        return [claimed_delivery(row) for row in rows]

    async def claim_due_deliveries(self, owner: InstanceId, limit: int) -> list[ClaimedDelivery]:
        """See ``DeliveryStore.claim_due_deliveries``."""
        rows = await self._pool.fetch("claim_due_deliveries", CLAIM_DUE, owner, limit)
        return [claimed_delivery(row) for row in rows]
