"""Recording attempts at deliveries.

One statement does it, but for calls with an attempt that brings about an operational event: these go through a
transaction that tells of it, too. Of an exhausted delivery the caller knows; of an endpoint that turns the statement
finds out as it goes, and records nothing then.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from ringback_backends.sql.database import Database
from ringback_backends.sql.lane_columns import LANE
from ringback_backends.sql.postgres.pool import Pool
from ringback_backends.sql.settling import is_told, receivers_before, settle
from ringback_schemas.deliveries import OUR_FAULTS, DeliveryOutcome, Verdict
from ringback_schemas.endpoint_health import DEFAULT_RULES, FAILING_AFTER, HealthRules
from ringback_schemas.states import DeliveryState

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

_OURS = ", ".join(f"'{verdict.value}'" for verdict in sorted(OUR_FAULTS))

# Deliveries to endpoints among them. ``receiver`` locks the endpoints: whoever disables or deletes one either sees the
# retry that is made here, or is seen by it. $18 which outcomes are of operational events; $20 and $21 the rules by
# which an endpoint is given up. Unless $19 says that the caller tells of it, nothing is recorded when an attempt turns
# its endpoint (see ``settling``), and the answer is the place 0.
_RECORDED_WITH_ENDPOINTS = f""", first AS MATERIALIZED (
    SELECT DISTINCT ON (delivery_id) * FROM matched ORDER BY delivery_id, place
), receiver AS MATERIALIZED (
    SELECT e.id, e.is_enabled, {LANE} AS destination, e.is_fifo, e.failures_in_row, e.first_failure_at,
           e.last_success_at, e.enabled_at
    FROM endpoints e
    WHERE e.id = ANY (ARRAY(SELECT DISTINCT endpoint_id FROM first WHERE endpoint_id IS NOT NULL))
    ORDER BY e.id
    FOR NO KEY UPDATE
), judged AS (
    SELECT endpoint_id, place, max(place) FILTER (WHERE verdict = 'delivered') OVER (PARTITION BY endpoint_id) AS good
    FROM first
    WHERE endpoint_id IS NOT NULL AND verdict NOT IN ({_OURS}) AND NOT ($18::boolean[])[place::integer]
), streak AS (
    SELECT endpoint_id, good IS NOT NULL AS is_good,
           (count(*) FILTER (WHERE place > coalesce(good, 0)))::integer AS failures
    FROM judged GROUP BY endpoint_id, good
), health AS MATERIALIZED (
    SELECT r.id, r.is_enabled, r.enabled_at, r.failures_in_row AS failures_before,
           s.failures + CASE WHEN s.is_good THEN 0 ELSE r.failures_in_row END AS failures_in_row,
           CASE WHEN s.failures = 0 THEN NULL
                WHEN s.is_good THEN now()
                ELSE coalesce(r.first_failure_at, now()) END AS first_failure_at,
           CASE WHEN s.is_good THEN now() ELSE r.last_success_at END AS last_success_at
    FROM streak s JOIN receiver r ON r.id = s.endpoint_id
    WHERE s.failures > 0 OR r.failures_in_row > 0 OR r.last_success_at IS NULL
          OR r.last_success_at < now() - interval '1 minute'
), turning AS MATERIALIZED (
    SELECT id FROM health
    WHERE NOT $19::boolean AND is_enabled
      AND ((failures_before < {FAILING_AFTER}) <> (failures_in_row < {FAILING_AFTER})
           OR ($20::integer BETWEEN 1 AND failures_in_row
               AND greatest(coalesce(last_success_at, first_failure_at), enabled_at)
                   <= now() - make_interval(secs => $21::float8)))
), recorded AS MATERIALIZED (
    SELECT f.*, e.destination, e.is_fifo,
           CASE WHEN f.state = 'retrying' AND f.endpoint_id IS NOT NULL AND e.id IS NULL THEN 'cancelled'
                ELSE f.state END AS next_state,
           CASE WHEN f.state = 'retrying' AND (f.endpoint_id IS NULL OR e.is_enabled)
                THEN now() + make_interval(secs => f.retry_in_s) END AS next_attempt_at
    FROM first f LEFT JOIN receiver e ON e.id = f.endpoint_id
    WHERE NOT EXISTS (SELECT FROM turning)
), counted AS (
    UPDATE endpoints e
    SET failures_in_row = h.failures_in_row, first_failure_at = h.first_failure_at, last_success_at = h.last_success_at
    FROM health h
    WHERE e.id = h.id AND NOT EXISTS (SELECT FROM turning)
), changed AS (
    UPDATE deliveries d
    SET state = r.next_state, owner = NULL, tries = d.tries + {_CHARGED}, next_attempt_at = r.next_attempt_at,
        destination = coalesce(r.destination, d.destination),
        waits_for = CASE WHEN r.next_attempt_at IS NOT NULL AND r.is_fifo THEN d.waits_for END,
        finished_at = CASE WHEN r.next_state <> 'retrying' THEN now() END
    FROM recorded r
    WHERE d.id = r.delivery_id
)"""  # noqa: S608 - our own words

_TURNS = 0
_OR_TURNS = f"UNION ALL SELECT {_TURNS} WHERE EXISTS (SELECT FROM turning)"  # noqa: S608 - our own words

RECORD = _MATCHED + _RECORDED + _ATTEMPTS
RECORD_WITH_ENDPOINTS = _MATCHED + _RECORDED_WITH_ENDPOINTS + _ATTEMPTS + _OR_TURNS

_SENDING = [DeliveryState.SENDING.value]


class PostgresRecording:
    """Records attempts."""

    _pool: Pool
    _database: Database

    async def record_attempts(
        self, outcomes: Sequence[DeliveryOutcome], rules: HealthRules = DEFAULT_RULES
    ) -> list[bool]:
        """See ``DeliveryStore.record_attempts``."""
        places = await self._record(outcomes, rules)
        if places is None:
            places = await self._database.write(
                "record_attempts", lambda connection: _tell(connection, outcomes, rules)
            )
        recorded = set(places)
        return [place in recorded for place in range(1, len(outcomes) + 1)]

    async def _record(self, outcomes: Sequence[DeliveryOutcome], rules: HealthRules) -> list[int] | None:
        """The places of those recorded; None, and nothing is, when one brings about an event."""
        if any(is_told(outcome) for outcome in outcomes):
            return None
        if all(outcome.endpoint_id is None for outcome in outcomes):
            rows = await self._pool.fetch("record_attempts", RECORD, *_columns(outcomes), _SENDING)
        else:
            arguments = _with_rules(outcomes, rules, is_told=False)
            rows = await self._pool.fetch("record_attempts", RECORD_WITH_ENDPOINTS, *arguments)
        places = [place for (place,) in rows]
        return None if _TURNS in places else places


def _tell(connection: Connection, outcomes: Sequence[DeliveryOutcome], rules: HealthRules) -> list[int]:
    """Record them with what they turn, and tell of it; the places of those recorded."""
    before = receivers_before(connection, outcomes)
    arguments = _with_rules(outcomes, rules, is_told=True)
    places = list(connection.exec_driver_sql(RECORD_WITH_ENDPOINTS, arguments).scalars())
    recorded = [outcomes[place - 1] for place in places]
    settle(connection, before, [outcome.delivery_id for outcome in recorded if is_told(outcome)], rules)
    return places


def _with_rules(outcomes: Sequence[DeliveryOutcome], rules: HealthRules, *, is_told: bool) -> tuple[Any, ...]:
    operational = [outcome.is_operational for outcome in outcomes]
    return (
        *(*_columns(outcomes), _SENDING, operational, is_told),
        *(rules.disable_after_failures, rules.disable_after_s),
    )


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
