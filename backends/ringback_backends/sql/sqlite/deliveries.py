"""Claiming deliveries and recording what became of them. Claims are relaxed as those of jobs are."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringback_backends.sql.columns import from_microseconds, to_microseconds
from ringback_backends.sql.rows import claimed_delivery
from ringback_backends.sql.sqlite.batches import Insert, listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_backends.sql.sqlite.receivers import Receiver, count, receivers
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryOutcome, Verdict
from ringback_schemas.ids import DeliveryId, EndpointId, InstanceId
from ringback_schemas.states import DeliveryState

INSERT_ATTEMPTS = Insert(
    "delivery_attempts",
    *("delivery_id", "attempt", "started_at", "total_s", "dns_s", "connect_s", "first_byte_s", "verdict", "reason"),
    *("status", "remote_address", "response_prefix", "next_attempt_at", "tls_s"),
)

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

# ?1 ids
CURRENT = """
SELECT json_group_array(json_array(d.id, d.owner, d.attempt, d.endpoint_id))
FROM json_each(?1) AS i CROSS JOIN deliveries AS d ON d.id = i.value WHERE d.state = 'sending'
"""

# ?1 ids, ?2 state, ?3 now, ?4 whether the tries count
END = """
UPDATE deliveries
SET state = ?2, owner = NULL, tries = tries + ?4, next_attempt_at = NULL, finished_at = ?3, waits_for = NULL
WHERE id IN (SELECT value FROM json_each(?1))
"""

# ?1 id, ?2 next_attempt_at, absent when its endpoint is disabled, ?3 whether the try counts
RETRY = """
UPDATE deliveries
SET state = 'retrying', owner = NULL, tries = tries + ?3, next_attempt_at = ?2,
    waits_for = CASE WHEN ?2 IS NOT NULL THEN waits_for END
WHERE id = ?1
"""

_TIMES = (12, 13, 14, 17)
"""Columns of a claimed delivery that hold times."""


class SqliteDeliveries:
    """Hands deliveries out to be sent, and records their attempts."""

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

    async def record_attempts(self, outcomes: Sequence[DeliveryOutcome]) -> list[bool]:
        """See ``DeliveryStore.record_attempts``."""
        return await self._sqlite.write_bare("record_attempts", lambda connection: _record(connection, outcomes))


def claim_rows(connection: sqlite3.Connection, owner: InstanceId, ids: Sequence[str], limit: int) -> list[list[Any]]:
    """Claim the first of these that are due; rows for ``claimed``, in the order of the ids."""
    if not ids:
        return []
    moment = now_us()
    rows = rows_of(connection, SENDABLE, listed(ids), limit, moment, owner)
    if rows:
        connection.execute(CLAIM, (listed([row[0] for row in rows]), owner, moment))
    # an aggregate promises no order
    places = {delivery_id: place for place, delivery_id in enumerate(ids)}
    return sorted(rows, key=lambda row: places[row[0]])


def claimed(row: list[Any]) -> ClaimedDelivery:
    """The delivery of a row that ``claim_rows`` gave."""
    for index in _TIMES:
        if row[index] is not None:
            row[index] = from_microseconds(row[index])
    row[16] = row[16].encode()
    return claimed_delivery(row)


def _record(connection: sqlite3.Connection, outcomes: Sequence[DeliveryOutcome]) -> list[bool]:
    moment = now_us()
    sending = {row[0]: row[1:] for row in rows_of(connection, CURRENT, listed([o.delivery_id for o in outcomes]))}
    recorded: list[tuple[DeliveryOutcome, EndpointId | None]] = []
    answers = []
    for outcome in outcomes:
        *held, endpoint_id = sending.get(outcome.delivery_id, [None])
        is_recorded = held == [outcome.owner, outcome.attempt.attempt]
        if is_recorded:
            del sending[outcome.delivery_id]
            recorded.append((outcome, endpoint_id))
        answers.append(is_recorded)
    told = [(outcome, endpoint_id) for outcome, endpoint_id in recorded if endpoint_id is not None]
    known = receivers(connection, [endpoint_id for _, endpoint_id in told])
    following = [_follow(outcome, endpoint_id, known, moment) for outcome, endpoint_id in recorded]
    _change(connection, following, moment)
    INSERT_ATTEMPTS.run(connection, [_attempt_row(one.outcome, one.next_attempt_at) for one in following])
    if told:
        count(connection, told, known, moment)
    return answers


@dataclass(frozen=True, slots=True)
class _Following:
    """What follows from an outcome."""

    outcome: DeliveryOutcome
    state: DeliveryState
    next_attempt_at: int | None

    @property
    def is_charged(self) -> bool:
        """Whether it was a try of the receiver's: what our own proxy did not let through is none."""
        return self.outcome.attempt.verdict is not Verdict.PROXY_FAILED


def _follow(
    outcome: DeliveryOutcome, endpoint_id: EndpointId | None, known: dict[EndpointId, Receiver], moment: int
) -> _Following:
    if outcome.state is not DeliveryState.RETRYING:
        return _Following(outcome, outcome.state, None)
    if endpoint_id is not None:
        receiver = known.get(endpoint_id)
        if receiver is None:
            return _Following(outcome, DeliveryState.CANCELLED, None)
        if not receiver.is_enabled:
            return _Following(outcome, outcome.state, None)
    return _Following(outcome, outcome.state, moment + round(outcome.retry_in_s * 1_000_000))


def _change(connection: sqlite3.Connection, following: Sequence[_Following], moment: int) -> None:
    ended: dict[tuple[DeliveryState, bool], list[str]] = {}
    for one in following:
        if one.state is not DeliveryState.RETRYING:
            ended.setdefault((one.state, one.is_charged), []).append(one.outcome.delivery_id)
    for (state, is_charged), ids in ended.items():
        connection.execute(END, (listed(ids), state.value, moment, is_charged))
    retried = [one for one in following if one.state is DeliveryState.RETRYING]
    connection.executemany(RETRY, [(one.outcome.delivery_id, one.next_attempt_at, one.is_charged) for one in retried])


def _attempt_row(outcome: DeliveryOutcome, next_attempt_at: int | None) -> tuple[object, ...]:
    attempt = outcome.attempt
    timing = attempt.timing
    return (
        *(outcome.delivery_id, attempt.attempt, to_microseconds(attempt.started_at)),
        *(timing.total_s, timing.dns_s, timing.connect_s, timing.first_byte_s),
        *(attempt.verdict.value, attempt.reason, attempt.status, attempt.remote_address, attempt.response_prefix),
        next_attempt_at,
        timing.tls_s,
    )
