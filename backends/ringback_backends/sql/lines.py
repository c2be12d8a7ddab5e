"""Endpoints that take one delivery at a time, in the order of events: the same queries for both databases.

Every delivery to such an endpoint stands *in line*: its ``waits_for`` is ``fifo`` from its birth to its end, also while
it is sent or waits to be tried again. No other claim hands out what does. Fresh ones stand by ``next_attempt_at``, and
that is given to them in the order of their events; what was tried goes before.

What a line let go of is tried beside it. If there was no room for that, it waits in the line's lane for something else
than its turn; from then on it is taken for one of the line, for no other claim looks there.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    update,
)

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.deliveries import RECORDS, SENDING
from ringback_backends.sql.lane_columns import IN_LINE
from ringback_backends.sql.parking import READY
from ringback_backends.sql.rows import DELIVERY_WIDTH, claimed_delivery
from ringback_backends.sql.tables import deliveries, delivery_attempts, delivery_targets, endpoints, events
from ringback_schemas.deliveries import ClaimedDelivery, WaitReason
from ringback_schemas.ids import DeliveryId, EndpointId, InstanceId
from ringback_schemas.lane_names import MARK, endpoint_of_lane
from ringback_schemas.lanes import LaneTurn
from ringback_schemas.states import DeliveryState

_WAITS = deliveries.c.waits_for.is_not(None)
"""In line, or set aside in its lane."""

_MOST_LET_GO = 10
"""Heads that one claim lets go of; the next goes on from there."""


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)


def _is(state: DeliveryState) -> ColumnElement[bool]:
    return deliveries.c.state == literal(state.value, literal_execute=True)


def _first(lane: ColumnElement[str], state: DeliveryState) -> ScalarSelect[str]:
    """The first in line in that state: a look at the beginning of a range of ``deliveries_waiting``."""
    query = select(deliveries.c.id).where(
        deliveries.c.destination == lane, _WAITS, _is(state), deliveries.c.next_attempt_at.is_not(None)
    )
    query = query.order_by(deliveries.c.next_attempt_at, deliveries.c.id).limit(1)
    return query.correlate(endpoints).scalar_subquery()


def _held_since() -> ScalarSelect[Any]:
    """When the first try of its schedule began; absent when none did."""
    mine = and_(
        delivery_attempts.c.delivery_id == deliveries.c.id,
        delivery_attempts.c.attempt > deliveries.c.attempt - deliveries.c.tries,
    )
    return select(func.min(delivery_attempts.c.started_at)).where(mine).correlate(deliveries).scalar_subquery()


def _looking() -> Select[Any]:
    """The heads of the lines ``ids`` in which nothing is sent."""
    lane = endpoints.c.destination + MARK + endpoints.c.id
    is_busy = exists().where(deliveries.c.destination == lane, IN_LINE, _is(DeliveryState.SENDING))
    tried, fresh = _first(lane, DeliveryState.RETRYING), _first(lane, DeliveryState.PENDING)
    heads = select(endpoints.c.id, func.coalesce(tried, fresh).label("head")).where(endpoints.c.id.in_(_IDS), ~is_busy)
    head = heads.subquery()
    return (
        select(
            head.c.id.label("endpoint_id"),
            deliveries.c.id,
            (deliveries.c.next_attempt_at <= now()).label("is_due"),
            _held_since().label("held_since"),
            now().label("moment"),
        )
        .join_from(head, deliveries, deliveries.c.id == head.c.head)
        .where(READY, _WAITS)
    )


# Made once: to put such statements together takes longer than to run them.
_LOCK = (
    select(endpoints.c.id)
    .where(endpoints.c.id.in_(_IDS), endpoints.c.is_fifo, endpoints.c.arranged_to.is_(None))
    .order_by(endpoints.c.id)
    .with_for_update(key_share=True)
)
_LOOK = _looking()
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.id.in_(_IDS), READY, _WAITS)
    .values(
        waits_for=WaitReason.FIFO.value,
        state=DeliveryState.SENDING.value,
        owner=bindparam("whose"),
        attempt=deliveries.c.attempt + 1,
        claimed_at=now(),
    )
)
_CLAIMED = (
    select(*list(RECORDS.selected_columns)[:DELIVERY_WIDTH], events.c.body, events.c.job_created_at)
    .join_from(delivery_targets, deliveries, deliveries.c.id == delivery_targets.c.delivery_id)
    .join(events, events.c.id == delivery_targets.c.event_id)
    .where(deliveries.c.id.in_(_IDS), deliveries.c.owner == bindparam("whose"), SENDING, IN_LINE)
)


class LineQueries:
    """What else there is to know of lines."""

    _database: Database

    async def lines_of(self, delivery_ids: Sequence[DeliveryId]) -> list[str]:
        """See ``LaneStore.lines_of``."""
        query = select(deliveries.c.destination).where(deliveries.c.id.in_(delivery_ids), IN_LINE, READY).distinct()
        return await self._database.read("lines_of", lambda connection: list(connection.execute(query).scalars()))


async def claim_heads(database: Database, owner: InstanceId, turns: Sequence[LaneTurn]) -> list[ClaimedDelivery]:
    """For each turn in a line its head, when that may be sent now; see ``LaneStore.claim_waiting``."""
    lined = {endpoint_of_lane(turn.lane): turn.hold_s for turn in turns}
    hold_s = {endpoint_id: hold for endpoint_id, hold in lined.items() if endpoint_id is not None and hold is not None}
    if not hold_s:
        return []
    return await database.write("claim_waiting", lambda connection: _claim(connection, owner, hold_s))


def leave_line(connection: Connection, lane: str, changes: dict[str, Any]) -> bool:
    """What is just being sent stands in another line from now on, or in none; see ``arranging`` for what waits.

    Who records an attempt holds its delivery and waits for the endpoint, which the caller holds, so here nobody waits
    for deliveries: the record looks at what the endpoint is then. False when others hold one: who just gives it back
    does not look at the endpoint.
    """
    sent = select(deliveries.c.id).where(deliveries.c.destination == lane, IN_LINE, SENDING)
    ids = list(connection.execute(sent.with_for_update(skip_locked=True)).scalars())
    connection.execute(update(deliveries).where(deliveries.c.id.in_(ids), IN_LINE).values(changes))
    return connection.execute(sent.where(deliveries.c.id.not_in(ids)).limit(1)).first() is None


def _claim(connection: Connection, owner: InstanceId, hold_s: dict[EndpointId, float]) -> list[ClaimedDelivery]:
    # Two notifiers that look at once would see different heads. In a statement of its own: the ones below see what
    # whoever held the lock before has done.
    lines: Collection[EndpointId] = list(connection.execute(_LOCK, {"ids": list(hold_s)}).scalars())
    picked: list[str] = []
    for _ in range(_MOST_LET_GO):
        if not lines:
            break
        due, overdue = _look(connection, lines, hold_s)
        picked += due
        lines = _let_go(connection, overdue)
    return _take(connection, owner, picked)


def _look(
    connection: Connection, lines: Collection[EndpointId], hold_s: dict[EndpointId, float]
) -> tuple[list[str], list[Row[Any]]]:
    """Heads that may be sent, and those that have held up their lines for too long."""
    rows = connection.execute(_LOOK, {"ids": list(lines)}).all()
    due = [row.id for row in rows if row.is_due]
    held = [row for row in rows if not row.is_due and row.held_since is not None]
    return due, [row for row in held if (row.moment - row.held_since).total_seconds() >= hold_s[row.endpoint_id]]


def _let_go(connection: Connection, overdue: Sequence[Row[Any]]) -> list[EndpointId]:
    """Let them be tried beside their lines, like any retry; the lines that have another head now."""
    ids = [row.id for row in overdue]
    if ids:
        connection.execute(update(deliveries).where(deliveries.c.id.in_(ids), _WAITS).values(waits_for=None))
    return [row.endpoint_id for row in overdue]


def _take(connection: Connection, owner: InstanceId, picked: Sequence[str]) -> list[ClaimedDelivery]:
    if not picked:
        return []
    which = {"ids": list(picked), "whose": owner}
    connection.execute(_CLAIM, which)
    return [claimed_delivery(row) for row in connection.execute(_CLAIMED, which)]
