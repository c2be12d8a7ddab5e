"""Recording attempts at deliveries.

Attempts that bring about an operational event go through a transaction of SQLAlchemy's over the same connection, in
which ``settling`` tells of it; all others through the bare one, which is quicker.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ringback_backends.sql.columns import to_microseconds
from ringback_backends.sql.settling import is_told, receivers_before, settle
from ringback_backends.sql.sqlite.batches import Insert, listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase, bare
from ringback_backends.sql.sqlite.receivers import Receiver, receivers, tell, write
from ringback_schemas.deliveries import DeliveryOutcome, Verdict
from ringback_schemas.endpoint_health import DEFAULT_RULES, HealthRules
from ringback_schemas.ids import EndpointId
from ringback_schemas.states import DeliveryState

INSERT_ATTEMPTS = Insert(
    "delivery_attempts",
    *("delivery_id", "attempt", "started_at", "total_s", "dns_s", "connect_s", "first_byte_s", "verdict", "reason"),
    *("status", "remote_address", "response_prefix", "next_attempt_at", "tls_s"),
)

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

Recorded = list[tuple[DeliveryOutcome, EndpointId | None]]


class SqliteRecording:
    """Records attempts."""

    _sqlite: SqliteDatabase

    async def record_attempts(
        self, outcomes: Sequence[DeliveryOutcome], rules: HealthRules = DEFAULT_RULES
    ) -> list[bool]:
        """See ``DeliveryStore.record_attempts``."""
        if not any(is_told(outcome) for outcome in outcomes):
            answers = await self._sqlite.write_bare(
                "record_attempts", lambda connection: _record(connection, outcomes, rules)
            )
            if answers is not None:
                return answers
        return await self._sqlite.write("record_attempts", lambda connection: _tell(connection, outcomes, rules))


def _tell(connection: Connection, outcomes: Sequence[DeliveryOutcome], rules: HealthRules) -> list[bool]:
    """Record them with what they turn, and tell of it."""
    before = receivers_before(connection, outcomes)
    answers = _record(bare(connection), outcomes, None) or []
    recorded = [outcome for outcome, is_recorded in zip(outcomes, answers, strict=True) if is_recorded]
    settle(connection, before, [outcome.delivery_id for outcome in recorded if is_told(outcome)], rules)
    return answers


def _record(
    connection: sqlite3.Connection, outcomes: Sequence[DeliveryOutcome], rules: HealthRules | None
) -> list[bool] | None:
    """Which of them are recorded; None, and nothing is, when by these rules one turns its endpoint."""
    moment = now_us()
    recorded, answers = _matched(connection, outcomes)
    told = [(outcome, endpoint_id) for outcome, endpoint_id in recorded if endpoint_id is not None]
    known = receivers(connection, [endpoint_id for _, endpoint_id in told])
    tell(told, known, moment)
    if rules is not None and any(receiver.is_turning(moment, rules) for receiver in known.values()):
        return None
    following = [_follow(outcome, endpoint_id, known, moment) for outcome, endpoint_id in recorded]
    _change(connection, following, moment)
    INSERT_ATTEMPTS.run(connection, [_attempt_row(one.outcome, one.next_attempt_at) for one in following])
    if told:
        write(connection, told, known)
    return answers


def _matched(connection: sqlite3.Connection, outcomes: Sequence[DeliveryOutcome]) -> tuple[Recorded, list[bool]]:
    sending = {row[0]: row[1:] for row in rows_of(connection, CURRENT, listed([o.delivery_id for o in outcomes]))}
    recorded: Recorded = []
    answers = []
    for outcome in outcomes:
        *held, endpoint_id = sending.get(outcome.delivery_id, [None])
        is_recorded = held == [outcome.owner, outcome.attempt.attempt]
        if is_recorded:
            del sending[outcome.delivery_id]
            recorded.append((outcome, endpoint_id))
        answers.append(is_recorded)
    return recorded, answers


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
