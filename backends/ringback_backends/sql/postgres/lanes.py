"""Claiming deliveries lane by lane. Claims, and setting aside, are relaxed as claims of jobs are (see ``claiming``)."""

from collections.abc import Sequence
from typing import Any

from ringback_backends.sql.database import Database
from ringback_backends.sql.lines import claim_heads
from ringback_backends.sql.postgres.claiming import CLAIMED_DELIVERIES, RELAXED, take_deliveries
from ringback_backends.sql.postgres.pool import Pool, Rows
from ringback_backends.sql.rows import claimed_delivery
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lanes import LaneClaim, LaneRooms, LaneTurn
from ringback_schemas.states import DELIVERY_READY

LOOKED_AT = 1_000
"""Due deliveries that one call looks at: enough that a backlog behind a destination without room is soon set aside,
few enough that nobody waits long for the statement."""

# $4, $5, $6 the named lanes, their rooms and reasons; $7 the room of the others
_LANES = f"""
WITH {RELAXED}, lane AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::integer[], $6::text[]) AS l (destination, room, reason)
"""  # noqa: S608 - our own words

# $2 ids, $8 ready states (a parameter: see ``claims.CLAIM``). What is in line is looked at to tell of its lane.
_NAMED = """
), looked AS MATERIALIZED (
    SELECT d.id, d.destination, d.waits_for, i.place
    FROM unnest($2::text[]) WITH ORDINALITY AS i (id, place)
    JOIN deliveries d ON d.id = i.id
    WHERE d.state = ANY ($8::text[]) AND d.next_attempt_at <= now()
    ORDER BY i.place
    FOR UPDATE OF d SKIP LOCKED
"""

# $2 how many to look at; the condition is spelt as in the index ``deliveries_due``
_DUE = """
), due AS MATERIALIZED (
    SELECT d.id, d.destination, d.waits_for, d.next_attempt_at
    FROM deliveries d
    WHERE d.state IN ('pending', 'retrying') AND d.waits_for IS NULL AND d.next_attempt_at <= now()
    ORDER BY d.next_attempt_at, d.id
    LIMIT $2
    FOR UPDATE OF d SKIP LOCKED
), looked AS MATERIALIZED (
    SELECT id, destination, waits_for, row_number() OVER (ORDER BY next_attempt_at, id) AS place FROM due
"""

# $1 owner, $3 limit. Answers the claimed, and a row without an id for each lane where something has to wait,
# with how many in the place of the attempt. What has room but is beyond the limit is left as it is.
_SORTED_OUT = f"""
), sorted AS MATERIALIZED (
    SELECT s.id, s.destination, s.waits_for, s.place, coalesce(l.reason, 'in_flight') AS reason,
           row_number() OVER (PARTITION BY s.destination ORDER BY s.place) <= coalesce(l.room, $7)
               AND s.waits_for IS DISTINCT FROM 'fifo' AS fits
    FROM looked s LEFT JOIN lane l ON l.destination = s.destination
), picked AS MATERIALIZED (
    SELECT id, place FROM sorted WHERE fits ORDER BY place LIMIT $3
), {take_deliveries("place")}, aside AS (
    UPDATE deliveries d SET waits_for = s.reason
    FROM sorted s CROSS JOIN relaxed
    WHERE d.id = s.id AND NOT s.fits AND s.waits_for IS NULL
)
(
{CLAIMED_DELIVERIES}
ORDER BY c.place
)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, destination, NULL, count(*)::integer, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL
FROM sorted WHERE NOT fits GROUP BY destination
"""  # noqa: S608 - our own words

CLAIM = _LANES + _NAMED + _SORTED_OUT
CLAIM_DUE = _LANES + _DUE + _SORTED_OUT

# $1 owner, $2, $3, $4 the lanes, their rooms and how many retries go first, $5 ready states. ``candidate`` reads
# two ranges of the index ``deliveries_waiting`` for each lane; more than wanted, for another notifier may hold
# some of them. What is in line is for ``lines``.
CLAIM_WAITING = f"""
WITH {RELAXED}, candidate AS MATERIALIZED (
    SELECT w.id, l.destination, l.turn, l.room, l.retries, w.state, w.next_attempt_at
    FROM unnest($2::text[], $3::integer[], $4::integer[]) WITH ORDINALITY AS l (destination, room, retries, turn)
    CROSS JOIN LATERAL (
        (SELECT d.id, d.state, d.next_attempt_at FROM deliveries d
         WHERE d.waits_for IS NOT NULL AND d.destination = l.destination AND d.state = 'pending'
         ORDER BY d.next_attempt_at, d.id LIMIT 2 * l.room)
        UNION ALL
        (SELECT d.id, d.state, d.next_attempt_at FROM deliveries d
         WHERE d.waits_for IS NOT NULL AND d.destination = l.destination AND d.state = 'retrying'
         ORDER BY d.next_attempt_at, d.id LIMIT 2 * l.room)) AS w
), locked AS MATERIALIZED (
    SELECT c.*
    FROM candidate c JOIN deliveries d ON d.id = c.id
    WHERE d.waits_for <> 'fifo' AND d.state = ANY ($5::text[])
    FOR UPDATE OF d SKIP LOCKED
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY turn, state ORDER BY next_attempt_at, id) AS rank FROM locked
), sorted AS (
    SELECT id, turn, room,
           row_number() OVER (
               PARTITION BY turn
               ORDER BY (state = 'retrying' AND rank <= retries) DESC, state = 'pending' DESC, rank) AS place
    FROM ranked
), picked AS MATERIALIZED (
    SELECT id, turn, place FROM sorted WHERE place <= room
), {take_deliveries("turn", "place")}
{CLAIMED_DELIVERIES}
ORDER BY c.turn, c.place
"""  # noqa: S608 - our own words

_READY = [state.value for state in DELIVERY_READY]
_LANE, _COUNT = 8, 10
"""Columns of a row that tells of a lane."""


class PostgresLanes:
    """Hands deliveries out by lane."""

    _pool: Pool
    _database: Database

    async def claim_in_lanes(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], rooms: LaneRooms
    ) -> LaneClaim:
        """See ``LaneStore.claim_in_lanes``."""
        ids = list(dict.fromkeys(delivery_ids))
        rows = await self._pool.fetch("claim_in_lanes", CLAIM, owner, ids, len(ids), *_lanes(rooms), _READY)
        claimed, waiting = _sorted(rows)
        return LaneClaim(claimed, frozenset(waiting), is_more=False)

    async def claim_due_in_lanes(self, owner: InstanceId, limit: int, rooms: LaneRooms) -> LaneClaim:
        """See ``LaneStore.claim_due_in_lanes``."""
        most = max(limit, LOOKED_AT)
        rows = await self._pool.fetch("claim_due_in_lanes", CLAIM_DUE, owner, most, limit, *_lanes(rooms))
        claimed, waiting = _sorted(rows)
        looked = len(claimed) + sum(waiting.values())
        return LaneClaim(claimed, frozenset(waiting), is_more=looked >= most or len(claimed) >= limit)

    async def claim_waiting(self, owner: InstanceId, turns: Sequence[LaneTurn]) -> list[ClaimedDelivery]:
        """See ``LaneStore.claim_waiting``."""
        heads = await claim_heads(self._database, owner, turns)
        wide = [turn for turn in turns if turn.hold_s is None]
        if not wide:
            return heads
        columns = [turn.lane for turn in wide], [turn.room for turn in wide], [turn.retries for turn in wide]
        rows = await self._pool.fetch("claim_waiting", CLAIM_WAITING, owner, *columns, _READY)
        return heads + [claimed_delivery(row) for row in rows]


def _lanes(rooms: LaneRooms) -> list[Any]:
    """The rooms by column."""
    return [
        [lane.lane for lane in rooms.named],
        [lane.room for lane in rooms.named],
        [lane.reason.value for lane in rooms.named],
        rooms.others,
    ]


def _sorted(rows: Rows) -> tuple[list[ClaimedDelivery], dict[str, int]]:
    """What was claimed, and how many have to wait in each lane."""
    claimed = [claimed_delivery(row) for row in rows if row[0] is not None]
    return claimed, {row[_LANE]: row[_COUNT] for row in rows if row[0] is None}
