"""Recording how attempts ended: state, result, event and deliveries in one statement."""

from collections.abc import Sequence
from typing import Any

from ringback_backends.contracts.jobs import Recorded
from ringback_backends.sql.lane_columns import LANE
from ringback_backends.sql.postgres.pool import Pool
from ringback_schemas.jobs import JobOutcome


def _fanned(receivers: str, condition: str) -> str:
    """Deliveries of the recorded events to those of the endpoints that want them."""
    return f"""SELECT r.place,
           'dlv_' || substr(r.event_id, 5, 10) || 'e' || substr(h.digest, 1, 2) || '8' || substr(h.digest, 3, 12) AS id,
           r.tenant_id, r.event_id, r.event_type, r.job_id, 'endpoint' AS kind, e.id AS endpoint_id, e.url,
           {LANE} AS destination, e.is_fifo
    FROM recorded r
    JOIN {receivers} e ON e.tenant_id = r.tenant_id
    CROSS JOIN LATERAL (SELECT encode(sha256(convert_to(r.event_id || e.id, 'UTF8')), 'hex') AS digest) AS h
    WHERE r.event_id IS NOT NULL AND e.is_enabled AND {condition}
      AND (e.event_filter = '[]' OR EXISTS (
          SELECT FROM json_array_elements_text(e.event_filter::json) AS f (pattern)
          WHERE CASE WHEN f.pattern LIKE '%*' THEN starts_with(r.event_type, left(f.pattern, -1))
                     ELSE f.pattern = r.event_type END))"""  # noqa: S608 - our own words


# $1…$10 columns of the outcomes, $11…$20 those of the deliveries. Answers the places of the outcomes that were
# recorded, and each delivery to an endpoint with the place of its outcome.
#
# Locks in id order and waits for rows that are held: a cancel request or a rescue that holds the row for a moment must
# not make a good result look fenced. The rest of the condition is checked again on what the row has become by then.
# DISTINCT: of two outcomes for one job in the same call the first that fits is recorded.
#
# ``fanned`` probes the index of a tenant's endpoints once for each event; without any that is a microsecond. Its
# ids are those of ``ids.fanned_delivery_id``, and its filter is ``endpoints.wants``. To an endpoint that takes one at a
# time they are born in line (see ``lines``), in the order of the outcomes: their times differ by a microsecond.
#
# ``line`` waits for whoever changes such an endpoint, and goes by what it is then: what is put in a line that is none
# any more would be found by nobody. Which endpoints these are is asked beforehand, for one that ceased to be a line
# meanwhile must still be told.
FINISH = f"""
WITH matched AS MATERIALIZED (
    SELECT i.*, j.tenant_id, j.created_at, j.started_at
    FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::float8[],
                $8::text[], $9::text[], $10::bytea[])
    WITH ORDINALITY AS i (job_id, attempt, owner, state, result, error, retry_in_s, event_id, event_type, body, place)
    JOIN jobs j ON j.id = i.job_id
    WHERE j.attempt = i.attempt AND j.owner IS NOT DISTINCT FROM i.owner
      AND CASE i.state
            WHEN 'cancelled' THEN j.state = 'running' OR j.state IN ('queued', 'scheduled', 'retrying')
            WHEN 'expired' THEN j.state IN ('queued', 'scheduled', 'retrying')
            ELSE j.state = 'running'
          END
    ORDER BY j.id
    FOR UPDATE OF j
), recorded AS MATERIALIZED (
    SELECT DISTINCT ON (job_id) * FROM matched ORDER BY job_id, place
), ended AS (
    UPDATE jobs j
    SET state = r.state, owner = NULL,
        finished_at = CASE WHEN r.state <> 'retrying' THEN now() END,
        run_at = CASE
            WHEN r.state <> 'retrying' THEN j.run_at
            WHEN j.is_cancel_requested THEN now()
            ELSE now() + make_interval(secs => r.retry_in_s)
        END
    FROM recorded r
    WHERE j.id = r.job_id
), results AS (
    INSERT INTO job_results (job_id, result, error, event_id)
    SELECT job_id, result, error, event_id FROM recorded
    WHERE state <> 'retrying' AND (result IS NOT NULL OR error IS NOT NULL)
), attempts AS (
    INSERT INTO job_attempts (job_id, attempt, outcome, started_at, ended_at, error, instance_id)
    SELECT job_id, attempt, 'retry', started_at, now(), error, owner FROM recorded WHERE state = 'retrying'
), happened AS (
    INSERT INTO events (id, tenant_id, job_id, type, body, created_at, job_created_at)
    SELECT event_id, tenant_id, job_id, event_type, body, now(), created_at FROM recorded WHERE event_id IS NOT NULL
    ORDER BY place
), target AS MATERIALIZED (
    SELECT *
    FROM unnest($11::bigint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
                $18::text[], $19::text[], $20::text[])
         AS d (place, id, tenant_id, event_id, event_type, job_id, kind, endpoint_id, url, destination)
    -- as a hashed look-up: a nested loop over two lists of n rows would be n times n
    WHERE (d.place IN (SELECT place FROM recorded)) IS TRUE
), line AS MATERIALIZED (
    SELECT e.*
    FROM endpoints e
    WHERE e.id IN (
        SELECT f.id FROM endpoints f
        WHERE f.is_fifo AND f.tenant_id IN (SELECT tenant_id FROM recorded WHERE event_id IS NOT NULL))
    ORDER BY e.id
    FOR KEY SHARE OF e
), fanned AS MATERIALIZED (
    {_fanned("endpoints", "NOT e.is_fifo")}
    UNION ALL
    {_fanned("line", "true")}
), born AS MATERIALIZED (
    SELECT *, false AS is_fifo FROM target UNION ALL SELECT * FROM fanned
), pending AS (
    INSERT INTO deliveries (id, tenant_id, destination, state, attempt, tries, next_attempt_at, endpoint_id, waits_for)
    SELECT id, tenant_id, destination, 'pending', 0, 0,
           CASE WHEN is_fifo THEN now() + place * interval '1 microsecond' ELSE now() END, endpoint_id,
           CASE WHEN is_fifo THEN 'fifo' END
    FROM born
), targets AS (
    INSERT INTO delivery_targets (tenant_id, delivery_id, event_id, event_type, job_id, kind, endpoint_id, url,
                                  created_at)
    SELECT tenant_id, id, event_id, event_type, job_id, kind, endpoint_id, url, now() FROM born
)
SELECT place, NULL AS id FROM recorded
UNION ALL
SELECT place, id FROM fanned
"""  # noqa: S608 - our own words


class PostgresFinish:
    """Records outcomes of jobs."""

    _pool: Pool

    async def finish_jobs(self, outcomes: Sequence[JobOutcome]) -> list[Recorded]:
        """See ``JobStore.finish_jobs``."""
        rows = await self._pool.fetch("finish_jobs", FINISH, *_outcomes(outcomes), *_deliveries(outcomes))
        recorded = {place for place, delivery_id in rows if delivery_id is None}
        answers: list[Recorded] = [
            outcome.delivery_ids if place in recorded else None for place, outcome in enumerate(outcomes, start=1)
        ]
        for place, delivery_id in rows:
            if delivery_id is not None:
                answers[place - 1] = (*(answers[place - 1] or ()), delivery_id)
        return answers


def _outcomes(outcomes: Sequence[JobOutcome]) -> list[list[Any]]:
    """The outcomes by column, each with its event."""
    events = [outcome.event for outcome in outcomes]
    return [
        [outcome.job_id for outcome in outcomes],
        [outcome.attempt for outcome in outcomes],
        [outcome.owner for outcome in outcomes],
        [outcome.state.value for outcome in outcomes],
        [outcome.result for outcome in outcomes],
        [outcome.error for outcome in outcomes],
        [outcome.retry_in_s for outcome in outcomes],
        [event and event.id for event in events],
        [event and event.type for event in events],
        [event and event.body for event in events],
    ]


def _deliveries(outcomes: Sequence[JobOutcome]) -> list[list[Any]]:
    """The deliveries of all events by column, the first naming the place of their outcome."""
    rows = [
        (place, event, delivery)
        for place, event in enumerate((outcome.event for outcome in outcomes), start=1)
        if event is not None
        for delivery in event.deliveries
    ]
    return [
        [place for place, _, _ in rows],
        [delivery.id for _, _, delivery in rows],
        [event.tenant_id for _, event, _ in rows],
        [event.id for _, event, _ in rows],
        [event.type for _, event, _ in rows],
        [event.job_id for _, event, _ in rows],
        [delivery.kind.value for _, _, delivery in rows],
        [delivery.endpoint_id for _, _, delivery in rows],
        [delivery.url for _, _, delivery in rows],
        [delivery.destination for _, _, delivery in rows],
    ]
