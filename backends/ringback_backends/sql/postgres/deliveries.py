"""Claiming deliveries and recording what became of them. Claims are relaxed as those of jobs are (see ``claims``)."""

from collections.abc import Sequence
from typing import Any

from ringback_backends.sql.lane_columns import LANE
from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.rows import claimed_delivery
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryOutcome, Verdict
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.states import DELIVERY_READY, DeliveryState

# $1 owner, $2 ids, $3 limit, $4 ready states (a parameter: see ``claims.CLAIM``)
CLAIM = """
WITH relaxed AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), picked AS MATERIALIZED (
    SELECT d.id, i.place
    FROM unnest($2::text[]) WITH ORDINALITY AS i (id, place)
    JOIN deliveries d ON d.id = i.id
    WHERE d.state = ANY ($4::text[]) AND d.next_attempt_at <= now() AND d.waits_for IS DISTINCT FROM 'fifo'
    ORDER BY i.place
    LIMIT $3
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE deliveries d
    SET state = 'sending', owner = $1, attempt = d.attempt + 1, claimed_at = now(), waits_for = NULL
    FROM picked p CROSS JOIN relaxed
    WHERE d.id = p.id
    RETURNING p.place, d.id, d.tenant_id, d.destination, d.state, d.attempt, d.tries, d.next_attempt_at, d.finished_at,
              d.owner
)
SELECT c.id, c.tenant_id, t.event_id, t.event_type, t.job_id, t.kind, t.endpoint_id, t.url, c.destination, c.state,
       c.attempt, c.tries, t.created_at, c.next_attempt_at, c.finished_at, c.owner, e.body, e.job_created_at
FROM claimed c
JOIN delivery_targets t ON t.tenant_id = c.tenant_id AND t.delivery_id = c.id
JOIN events e ON e.id = t.event_id
ORDER BY c.place
"""

# $1 owner, $2 limit. The condition is spelt as in the index ``deliveries_due``, which gives the order too.
CLAIM_DUE = """
WITH relaxed AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), picked AS MATERIALIZED (
    SELECT d.id, d.next_attempt_at
    FROM deliveries d
    WHERE d.state IN ('pending', 'retrying') AND d.waits_for IS NULL AND d.next_attempt_at <= now()
    ORDER BY d.next_attempt_at, d.id
    LIMIT $2
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE deliveries d
    SET state = 'sending', owner = $1, attempt = d.attempt + 1, claimed_at = now(), waits_for = NULL
    FROM picked p CROSS JOIN relaxed
    WHERE d.id = p.id
    RETURNING d.id, d.tenant_id, d.destination, d.state, d.attempt, d.tries, d.next_attempt_at, d.finished_at, d.owner
)
SELECT c.id, c.tenant_id, t.event_id, t.event_type, t.job_id, t.kind, t.endpoint_id, t.url, c.destination, c.state,
       c.attempt, c.tries, t.created_at, c.next_attempt_at, c.finished_at, c.owner, e.body, e.job_created_at
FROM claimed c
JOIN delivery_targets t ON t.tenant_id = c.tenant_id AND t.delivery_id = c.id
JOIN events e ON e.id = t.event_id
ORDER BY c.next_attempt_at, c.id
"""

# $1…$16 columns of the outcomes, $17 the state of a delivery being sent. Answers the places of those recorded; waits
# for rows that are held, as ``finish.FINISH`` does and for the same reason.
_MATCHED = """
WITH matched AS MATERIALIZED (
    SELECT i.*, d.endpoint_id
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::float8[], $6::timestamptz[], $7::float8[],
                $8::float8[], $9::float8[], $10::float8[], $11::text[], $12::text[], $13::integer[], $14::text[],
                $15::bytea[], $16::float8[])
    WITH ORDINALITY AS i (delivery_id, owner, attempt, state, retry_in_s, started_at, total_s, dns_s, connect_s,
                          first_byte_s, verdict, reason, status, remote_address, response_prefix, tls_s, place)
    JOIN deliveries d ON d.id = i.delivery_id
    WHERE d.attempt = i.attempt AND d.owner = i.owner AND d.state = ANY ($17::text[])
    ORDER BY d.id
    FOR UPDATE OF d
)"""

_ATTEMPTS = """, attempts AS (
    INSERT INTO delivery_attempts (delivery_id, attempt, started_at, total_s, dns_s, connect_s, first_byte_s, verdict,
                                   reason, status, remote_address, response_prefix, next_attempt_at, tls_s)
    SELECT delivery_id, attempt, started_at, total_s, dns_s, connect_s, first_byte_s, verdict, reason, status,
           remote_address, response_prefix, next_attempt_at, tls_s
    FROM recorded
)
SELECT place FROM recorded
"""

# What our own proxy did not let through is no try of the receiver's: it is tried again, with the same number of tries.
_CHARGED = f"CASE WHEN r.verdict = '{Verdict.PROXY_FAILED.value}' THEN 0 ELSE 1 END"

# Callbacks only: whether an endpoint has anything to do with it would cost each of them several microseconds.
_RECORDED = f""", recorded AS MATERIALIZED (
    SELECT DISTINCT ON (delivery_id) *,
           CASE WHEN state = 'retrying' THEN now() + make_interval(secs => retry_in_s) END AS next_attempt_at
    FROM matched ORDER BY delivery_id, place
), changed AS (
    UPDATE deliveries d
    SET state = r.state, owner = NULL, tries = d.tries + {_CHARGED}, next_attempt_at = r.next_attempt_at,
        finished_at = CASE WHEN r.state <> 'retrying' THEN now() END
    FROM recorded r
    WHERE d.id = r.delivery_id
)"""  # noqa: S608 - our own words

# Deliveries to endpoints among them. ``receiver`` locks the endpoints: whoever disables or deletes one either sees the
# retry that is made here, or is seen by it.
_RECORDED_WITH_ENDPOINTS = f""", first AS MATERIALIZED (
    SELECT DISTINCT ON (delivery_id) * FROM matched ORDER BY delivery_id, place
), receiver AS MATERIALIZED (
    SELECT e.id, e.is_enabled, {LANE} AS destination, e.is_fifo
    FROM endpoints e
    WHERE e.id = ANY (ARRAY(SELECT DISTINCT endpoint_id FROM first WHERE endpoint_id IS NOT NULL))
    ORDER BY e.id
    FOR NO KEY UPDATE
), recorded AS MATERIALIZED (
    SELECT f.*, e.destination, e.is_fifo,
           CASE WHEN f.state = 'retrying' AND f.endpoint_id IS NOT NULL AND e.id IS NULL THEN 'cancelled'
                ELSE f.state END AS next_state,
           CASE WHEN f.state = 'retrying' AND (f.endpoint_id IS NULL OR e.is_enabled)
                THEN now() + make_interval(secs => f.retry_in_s) END AS next_attempt_at
    FROM first f LEFT JOIN receiver e ON e.id = f.endpoint_id
), judged AS (
    SELECT endpoint_id, place, max(place) FILTER (WHERE verdict = 'delivered') OVER (PARTITION BY endpoint_id) AS good
    FROM recorded WHERE endpoint_id IS NOT NULL AND verdict <> '{Verdict.PROXY_FAILED.value}'
), streak AS (
    SELECT endpoint_id, good IS NOT NULL AS is_good,
           (count(*) FILTER (WHERE place > coalesce(good, 0)))::integer AS failures
    FROM judged GROUP BY endpoint_id, good
), counted AS (
    UPDATE endpoints e
    SET failures_in_row = s.failures + CASE WHEN s.is_good THEN 0 ELSE e.failures_in_row END,
        first_failure_at = CASE WHEN s.failures = 0 THEN NULL
                                WHEN s.is_good THEN now()
                                ELSE coalesce(e.first_failure_at, now()) END,
        last_success_at = CASE WHEN s.is_good THEN now() ELSE e.last_success_at END
    FROM streak s JOIN receiver r ON r.id = s.endpoint_id
    WHERE e.id = s.endpoint_id
      AND (s.failures > 0 OR e.failures_in_row > 0 OR e.last_success_at IS NULL
           OR e.last_success_at < now() - interval '1 minute')
), changed AS (
    UPDATE deliveries d
    SET state = r.next_state, owner = NULL, tries = d.tries + {_CHARGED}, next_attempt_at = r.next_attempt_at,
        destination = coalesce(r.destination, d.destination),
        waits_for = CASE WHEN r.next_attempt_at IS NOT NULL AND r.is_fifo THEN d.waits_for END,
        finished_at = CASE WHEN r.next_state <> 'retrying' THEN now() END
    FROM recorded r
    WHERE d.id = r.delivery_id
)"""  # noqa: S608 - our own words

RECORD = _MATCHED + _RECORDED + _ATTEMPTS
RECORD_WITH_ENDPOINTS = _MATCHED + _RECORDED_WITH_ENDPOINTS + _ATTEMPTS

_READY = [state.value for state in DELIVERY_READY]
_SENDING = [DeliveryState.SENDING.value]


class PostgresDeliveries:
    """Hands deliveries out to be sent, and records their attempts."""

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

    async def record_attempts(self, outcomes: Sequence[DeliveryOutcome]) -> list[bool]:
        """See ``DeliveryStore.record_attempts``."""
        has_endpoints = any(outcome.endpoint_id is not None for outcome in outcomes)
        statement = RECORD_WITH_ENDPOINTS if has_endpoints else RECORD
        rows = await self._pool.fetch("record_attempts", statement, *_columns(outcomes), _SENDING)
        recorded = {place for (place,) in rows}
        return [place in recorded for place in range(1, len(outcomes) + 1)]


def _columns(outcomes: Sequence[DeliveryOutcome]) -> list[list[Any]]:
    """The outcomes by column."""
    attempts = [outcome.attempt for outcome in outcomes]
    return [
        [outcome.delivery_id for outcome in outcomes],
        [outcome.owner for outcome in outcomes],
        [attempt.attempt for attempt in attempts],
        [outcome.state.value for outcome in outcomes],
        [outcome.retry_in_s for outcome in outcomes],
        [attempt.started_at for attempt in attempts],
        [attempt.timing.total_s for attempt in attempts],
        [attempt.timing.dns_s for attempt in attempts],
        [attempt.timing.connect_s for attempt in attempts],
        [attempt.timing.first_byte_s for attempt in attempts],
        [attempt.verdict.value for attempt in attempts],
        [attempt.reason for attempt in attempts],
        [attempt.status for attempt in attempts],
        [attempt.remote_address for attempt in attempts],
        [attempt.response_prefix for attempt in attempts],
        [attempt.timing.tls_s for attempt in attempts],
    ]
