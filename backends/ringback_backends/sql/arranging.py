"""Bringing what waits for an endpoint to where the endpoint says: its lane, its line, its URL, due when it is enabled.

Whoever changes an endpoint takes the first step in the same transaction, which is all that most need. Where more waits,
``endpoints.arranged_to`` says how far it came, so that any process can go on, and nothing is forgotten with the one
that dies. Each step asks what the endpoint says now: a change meanwhile begins again at the first.

Until it is done deliveries that no step came to go by the lane that they had. A line stands still meanwhile.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, literal, null, or_, select, update

from ringback_backends.sql.columns import Moment, microseconds_before, now
from ringback_backends.sql.lane_columns import IN_LINE, lane_of_row
from ringback_backends.sql.parking import waiting_for
from ringback_backends.sql.tables import deliveries, delivery_targets, endpoints, events
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.ids import EndpointId
from ringback_schemas.states import DeliveryState

MOST_AT_ONCE = 1_000
"""Deliveries that the first step looks at: a tenth of a second. Jobs that end meanwhile wait for it."""

IS_ARRANGED = endpoints.c.arranged_to.is_(None)
"""No step is left to be taken."""

_ARRANGED: dict[str, Any] = {"arranged_to": None, "arranged_at": None, "arranged_seq": None}


@dataclass(frozen=True, slots=True)
class _Step:
    """The part of what waits that is looked at now."""

    endpoint: Row[Any]
    part: ColumnElement[bool]
    """Of ``deliveries``."""


def arrange(
    connection: Connection, endpoint_id: EndpointId, *, is_lined_up: bool = False, is_again: bool = False
) -> None:
    """Begin, with the first step. The caller holds the endpoint's row.

    With ``is_lined_up`` what waits is put in line in the order of events, if the endpoint takes one at a time; without,
    a line stays as it is. With ``is_again`` all is looked at once more, for some could not be seen now.
    """
    row = _named(connection, endpoint_id)
    begun = _ARRANGED | {"arranged_to": ""}
    if row.is_fifo and (is_lined_up or row.arranged_at is not None):
        # the same for every step: what happens from now on stands behind
        begun |= {"arranged_at": now(), "arranged_seq": _newest_event()}
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(begun))
    _take(connection, _named(connection, endpoint_id), MOST_AT_ONCE)
    if is_again:
        connection.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(arranged_to=""))


def go_on(connection: Connection, after: str, limit: int) -> EndpointId | None:
    """Take a step for the next endpoint that has any left; None when there is none, or others are at them."""
    unfinished = select(endpoints).where(~IS_ARRANGED, endpoints.c.id > after).order_by(endpoints.c.id).limit(1)
    # jobs that end need not wait: no step changes what a delivery is born as
    row = connection.execute(unfinished.with_for_update(skip_locked=True, key_share=True)).one_or_none()
    if row is None:
        return None
    _take(connection, row, limit)
    return EndpointId(row.id)


def hold_lines(connection: Connection, endpoint_ids: Collection[EndpointId]) -> None:
    """Let none of these become another line, or none, before the transaction ends: what is put in it would be lost.

    Before deliveries are locked, as everywhere. The next statement sees what the endpoints are by then.
    """
    held = select(endpoints.c.id).where(endpoints.c.id.in_(endpoint_ids), endpoints.c.is_fifo)
    connection.execute(held.order_by(endpoints.c.id).with_for_update(read=True, key_share=True))


def _named(connection: Connection, endpoint_id: EndpointId) -> Row[Any]:
    return connection.execute(select(endpoints).where(endpoints.c.id == endpoint_id)).one()


def _newest_event() -> Any:
    return select(func.coalesce(func.max(events.c.seq), 0)).scalar_subquery()


def _take(connection: Connection, endpoint: Row[Any], limit: int) -> None:
    rest = and_(waiting_for(endpoint.id), deliveries.c.id > endpoint.arranged_to)
    ids = select(deliveries.c.id).where(rest).order_by(deliveries.c.id)
    last = connection.execute(ids.offset(limit - 1).limit(1)).scalar_one_or_none()
    step = _Step(endpoint, rest if last is None else and_(rest, deliveries.c.id <= last))
    _redirect(connection, step)
    if endpoint.is_enabled:
        connection.execute(_change(step, deliveries.c.next_attempt_at.is_(None)).values(next_attempt_at=now()))
    _move(connection, step)
    if endpoint.is_fifo:
        _line_up(connection, step)
    else:
        connection.execute(_change(step, IN_LINE).values(waits_for=null()))
    came_to = _ARRANGED if last is None else {"arranged_to": last}
    connection.execute(update(endpoints).where(endpoints.c.id == endpoint.id).values(came_to))


def _change(step: _Step, condition: ColumnElement[bool]) -> Any:
    return update(deliveries).where(step.part, condition)


def _redirect(connection: Connection, step: _Step) -> None:
    """Whoever sends looks at the endpoint's URL; this is for whoever looks at the delivery."""
    endpoint = step.endpoint
    elsewhere = and_(
        delivery_targets.c.tenant_id == endpoint.tenant_id,
        delivery_targets.c.delivery_id.in_(select(deliveries.c.id).where(step.part)),
        delivery_targets.c.url != endpoint.url,
    )
    connection.execute(update(delivery_targets).where(elsewhere).values(url=endpoint.url))


def _move(connection: Connection, step: _Step) -> None:
    """To a lane where nobody has told them to wait yet, but for those in line."""
    lane = lane_of_row(step.endpoint)
    waits_for = case((IN_LINE, WaitReason.FIFO.value), else_=null()) if step.endpoint.is_fifo else null()
    connection.execute(_change(step, deliveries.c.destination != lane).values(destination=lane, waits_for=waits_for))


def _line_up(connection: Connection, step: _Step) -> None:
    """In the order of events, each by its number so many microseconds before the change; what failed goes first.

    What a replay sends again has not failed in this schedule: it has its place among the fresh ones.
    """
    endpoint = step.endpoint
    if endpoint.arranged_at is None:
        return
    is_due = deliveries.c.next_attempt_at.is_not(None)
    aside = or_(deliveries.c.waits_for.is_(None), deliveries.c.waits_for != WaitReason.FIFO.value)
    connection.execute(_change(step, and_(is_due, aside)).values(waits_for=WaitReason.FIFO.value))
    pending = deliveries.c.state == literal(DeliveryState.PENDING.value, literal_execute=True)
    fresh = or_(pending, deliveries.c.tries == 0)
    numbered = _numbered(and_(step.part, is_due, fresh)).subquery()
    later = literal(endpoint.arranged_seq) - numbered.c.seq
    at = microseconds_before(literal(endpoint.arranged_at, Moment()), later)
    in_order = {"state": DeliveryState.PENDING.value, "next_attempt_at": at}
    connection.execute(update(deliveries).where(deliveries.c.id == numbered.c.id).values(in_order))


def _numbered(condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(deliveries.c.id, events.c.seq)
        .join_from(deliveries, delivery_targets, deliveries.c.id == delivery_targets.c.delivery_id)
        .join(events, events.c.id == delivery_targets.c.event_id)
        .where(condition)
    )
