"""Claiming deliveries lane by lane. Claims are relaxed as those of jobs are, and so is setting aside."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ringback_backends.sql.lines import claim_heads
from ringback_backends.sql.sqlite.batches import listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.deliveries import claim_rows, claimed
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_schemas.deliveries import ClaimedDelivery, WaitReason
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lanes import LaneClaim, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState

LOOKED_AT = 1_000
"""Due deliveries that one call looks at."""

# Those of the named deliveries that are due, in the order named: ?1 ids, ?2 now
NAMED = """
SELECT json_group_array(json_array(key, id, destination, waits_for))
FROM (
    SELECT i.key, d.id, d.destination, d.waits_for
    FROM json_each(?1) AS i CROSS JOIN deliveries AS d ON d.id = i.value
    WHERE d.state IN ('pending', 'retrying') AND d.next_attempt_at <= ?2
)
"""

# What is due, the longest overdue first: ?1 now, ?2 limit
DUE = """
SELECT json_group_array(json_array(next_attempt_at, id, destination, waits_for))
FROM (
    SELECT next_attempt_at, id, destination, waits_for FROM deliveries INDEXED BY deliveries_due
    WHERE state IN ('pending', 'retrying') AND waits_for IS NULL AND next_attempt_at <= ?1
    ORDER BY next_attempt_at, id
    LIMIT ?2
)
"""

# ?1 ids, ?2 reason
SET_ASIDE = "UPDATE deliveries SET waits_for = ?2 WHERE id IN (SELECT value FROM json_each(?1)) AND waits_for IS NULL"

# What was set aside for a lane in one state, the longest overdue first: ?1 lane, ?2 state, ?3 limit
WAITING = """
SELECT json_group_array(json_array(next_attempt_at, id))
FROM (
    SELECT next_attempt_at, id FROM deliveries INDEXED BY deliveries_waiting
    WHERE waits_for IS NOT NULL AND destination = ?1 AND state = ?2 AND waits_for <> 'fifo'
    ORDER BY next_attempt_at, id
    LIMIT ?3
)
"""


Looked = list[list[Any]]
"""Rows of place, id, lane and why it waits already."""


@dataclass(slots=True)
class _Sorted:
    """What a claim does with the deliveries that it looked at."""

    picked: list[str] = field(default_factory=list)
    aside: dict[WaitReason, list[str]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a claim did with them."""

    rows: list[list[Any]]
    waiting: set[str]
    looked: int


class SqliteLanes:
    """Hands deliveries out by lane."""

    _sqlite: SqliteDatabase

    async def claim_in_lanes(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], rooms: LaneRooms
    ) -> LaneClaim:
        """See ``LaneStore.claim_in_lanes``."""
        ids = list(dict.fromkeys(delivery_ids))

        def claim(connection: sqlite3.Connection) -> _Taken:
            return _take(connection, owner, rows_of(connection, NAMED, listed(ids), now_us()), len(ids), rooms)

        taken = await self._sqlite.write_bare("claim_in_lanes", claim, is_relaxed=True)
        return LaneClaim([claimed(row) for row in taken.rows], frozenset(taken.waiting), is_more=False)

    async def claim_due_in_lanes(self, owner: InstanceId, limit: int, rooms: LaneRooms) -> LaneClaim:
        """See ``LaneStore.claim_due_in_lanes``."""
        most = max(limit, LOOKED_AT)

        def claim(connection: sqlite3.Connection) -> _Taken:
            return _take(connection, owner, rows_of(connection, DUE, now_us(), most), limit, rooms)

        taken = await self._sqlite.write_bare("claim_due_in_lanes", claim, is_relaxed=True)
        is_more = taken.looked >= most or len(taken.rows) >= limit
        return LaneClaim([claimed(row) for row in taken.rows], frozenset(taken.waiting), is_more)

    async def claim_waiting(self, owner: InstanceId, turns: Sequence[LaneTurn]) -> list[ClaimedDelivery]:
        """See ``LaneStore.claim_waiting``."""
        heads = await claim_heads(self._sqlite, owner, turns)
        wide = [turn for turn in turns if turn.hold_s is None]
        if not wide:
            return heads

        def claim(connection: sqlite3.Connection) -> list[list[Any]]:
            ids = [delivery_id for turn in wide for delivery_id in _of_turn(connection, turn)]
            return claim_rows(connection, owner, ids, len(ids))

        rows = await self._sqlite.write_bare("claim_waiting", claim, is_relaxed=True)
        return heads + [claimed(row) for row in rows]


def _sort_out(looked: Looked, limit: int, rooms: LaneRooms) -> _Sorted:
    found = _Sorted()
    room = {lane.lane: lane.room for lane in rooms.named}
    reasons = {lane.lane: lane.reason for lane in rooms.named}
    for _, delivery_id, lane, waits_for in sorted(looked):
        left = room.get(lane, rooms.others)
        room[lane] = left - 1
        if left <= 0 or waits_for == WaitReason.FIFO:
            found.waiting.add(lane)
            if waits_for is None:
                found.aside.setdefault(reasons.get(lane, WaitReason.IN_FLIGHT), []).append(delivery_id)
        elif len(found.picked) < limit:
            found.picked.append(delivery_id)
    return found


def _take(connection: sqlite3.Connection, owner: InstanceId, looked: Looked, limit: int, rooms: LaneRooms) -> _Taken:
    found = _sort_out(looked, limit, rooms)
    for reason, ids in found.aside.items():
        connection.execute(SET_ASIDE, (listed(ids), reason.value))
    return _Taken(claim_rows(connection, owner, found.picked, limit), found.waiting, len(looked))


def _of_turn(connection: sqlite3.Connection, turn: LaneTurn) -> list[str]:
    fresh, retries = (
        [delivery_id for _, delivery_id in sorted(rows_of(connection, WAITING, turn.lane, state, turn.room))]
        for state in (DeliveryState.PENDING.value, DeliveryState.RETRYING.value)
    )
    return [*retries[: turn.retries], *fresh, *retries[turn.retries :]][: turn.room]
