"""What recorded attempts mean for the endpoints that they went to, and the other way round."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ringback_backends.sql.lane_columns import LANE
from ringback_backends.sql.sqlite.batches import listed, rows_of
from ringback_schemas.deliveries import OUR_FAULTS, DeliveryOutcome, Verdict
from ringback_schemas.endpoint_health import HealthRules, turn
from ringback_schemas.ids import EndpointId

# ?1 ids
RECEIVERS = f"""
SELECT json_group_array(json_array(
    e.id, e.is_enabled, {LANE}, e.enabled_at, e.failures_in_row, e.first_failure_at, e.last_success_at,
    e.failures_in_row))
FROM endpoints AS e WHERE e.id IN (SELECT value FROM json_each(?1))
"""  # noqa: S608 - our own words

COUNT = "UPDATE endpoints SET failures_in_row = ?, first_failure_at = ?, last_success_at = ? WHERE id = ?"
MOVE = "UPDATE deliveries SET destination = ?2 WHERE id = ?1 AND destination <> ?2"

SUCCESS_KNOWN_TO_US = 60_000_000
"""Microseconds: a success is noted anew when the last one noted is older."""


@dataclass(slots=True)
class Receiver:
    """An endpoint as it is, and how it does with each attempt told to it."""

    id: EndpointId
    is_enabled: bool
    lane: str
    enabled_at: int | None
    failures_in_row: int
    first_failure_at: int | None
    last_success_at: int | None
    failures_before: int
    is_changed: bool = False

    def tell(self, *, is_good: bool, moment: int) -> None:
        """Count one attempt."""
        if not is_good:
            self.is_changed = True
            self.failures_in_row += 1
            self.first_failure_at = self.first_failure_at or moment
        elif self.failures_in_row or moment - (self.last_success_at or 0) > SUCCESS_KNOWN_TO_US:
            self.is_changed = True
            self.failures_in_row, self.first_failure_at, self.last_success_at = 0, None, moment

    def is_turning(self, moment: int, rules: HealthRules) -> bool:
        """Whether what was told to it brings about an event: the condition is that of ``settling``."""
        if not self.is_enabled or not self.is_changed:
            return False
        if turn(self.failures_before, self.failures_in_row) is not None:
            return True
        since = max(self.last_success_at or self.first_failure_at or moment, self.enabled_at or 0)
        return rules.give_up(self.failures_in_row, (moment - since) / 1_000_000)


def receivers(connection: sqlite3.Connection, ids: Sequence[EndpointId]) -> dict[EndpointId, Receiver]:
    """Those of the endpoints that exist."""
    if not ids:
        return {}
    rows = rows_of(connection, RECEIVERS, listed(sorted(set(ids))))
    return {row[0]: Receiver(row[0], bool(row[1]), *row[2:]) for row in rows}


def tell(told: Sequence[tuple[DeliveryOutcome, EndpointId]], known: Mapping[EndpointId, Receiver], moment: int) -> None:
    """Count attempts at endpoints, those that say something of them."""
    for outcome, endpoint_id in told:
        receiver, verdict = known.get(endpoint_id), outcome.attempt.verdict
        if receiver is not None and verdict not in OUR_FAULTS and not outcome.is_operational:
            receiver.tell(is_good=verdict is Verdict.DELIVERED, moment=moment)


def write(
    connection: sqlite3.Connection,
    told: Sequence[tuple[DeliveryOutcome, EndpointId]],
    known: Mapping[EndpointId, Receiver],
) -> None:
    """Note what was counted, and that the deliveries go where their endpoint is now."""
    moved = [(outcome.delivery_id, known[endpoint_id].lane) for outcome, endpoint_id in told if endpoint_id in known]
    changed = [one for one in known.values() if one.is_changed]
    connection.executemany(
        COUNT, [(one.failures_in_row, one.first_failure_at, one.last_success_at, one.id) for one in changed]
    )
    connection.executemany(MOVE, moved)
