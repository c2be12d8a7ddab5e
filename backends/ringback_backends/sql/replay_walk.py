"""The walk of a replay through its tenant's deliveries: which ones come next, and which of them it means."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Subquery, and_, func, literal, or_, select, text

from ringback_backends.sql.columns import EPOCH, Moment
from ringback_backends.sql.jobs import CLOCK_SKEW
from ringback_backends.sql.lane_columns import goes_to
from ringback_backends.sql.tables import deliveries, delivery_targets, endpoints
from ringback_schemas.ids import earliest_id
from ringback_schemas.replays import ReplayFilter, ReplayRecord
from ringback_schemas.states import DeliveryState

ENDED_BADLY = text("state IN ('exhausted', 'cancelled')")
"""Spelt as in the partial index ``deliveries_ended_badly``."""

_SETTLED_AT: ColumnElement[datetime] = func.coalesce(deliveries.c.finished_at, deliveries.c.claimed_at, type_=Moment())
"""Since when a delivery is in its state; of one that is retried: not later than that."""


def next_deliveries(connection: Connection, replay: ReplayRecord, place: str, most: int) -> Sequence[Row[Any]]:
    """The next deliveries behind ``place``, in id order: ``id``, ``is_meant``, ``endpoint_id``, ``is_enabled``.

    Fewer than ``most`` when the walk has arrived at its end.
    """
    return connection.execute(_steps(replay, place, most)).all()


def lock_meant(connection: Connection, replay: ReplayRecord, ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Those of the deliveries that the replay still means: ``id``, ``endpoint_id``, ``is_enabled``; none changes now.

    In id order, and waiting for those that others hold: a notifier that just sets one aside does not make it another.
    """
    query: Select[Any] = (
        select(deliveries.c.id, deliveries.c.endpoint_id, endpoints.c.is_enabled)
        .outerjoin_from(deliveries, endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.id.in_(ids), *_in_state(replay))
        .order_by(deliveries.c.id)
        .with_for_update(of=deliveries)
    )
    return connection.execute(query).all()


def first_place(wanted: ReplayFilter) -> str:
    """Where a walk begins. Ids tell their age, so it need not go through what is far too old."""
    return "" if wanted.created_after is None else _id_at(max(wanted.created_after, EPOCH + CLOCK_SKEW) - CLOCK_SKEW)


def _steps(replay: ReplayRecord, place: str, most: int) -> Select[Any]:
    window = _window(replay, place, most)
    target = and_(
        delivery_targets.c.tenant_id == replay.tenant_id, delivery_targets.c.delivery_id == window.c.delivery_id
    )
    is_meant = and_(*_of_target(replay), *_in_state(replay)).label("is_meant")
    return (
        select(deliveries.c.id, is_meant, deliveries.c.endpoint_id, endpoints.c.is_enabled)
        .select_from(window)
        .join(delivery_targets, target)
        .join(deliveries, deliveries.c.id == window.c.delivery_id)
        .outerjoin(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .order_by(deliveries.c.id)
    )


def _window(replay: ReplayRecord, place: str, most: int) -> Subquery:
    """Bounded by what is looked at, not by what is found: a filter that lets little through costs no more for it."""
    before, created_before = replay.created_at, replay.filter.created_before
    if created_before is not None:
        before = min(before, created_before)
    end = _id_at(before + CLOCK_SKEW)
    if replay.filter.states == (DeliveryState.EXHAUSTED,):
        # what failed is little among all, and has an index
        key: ColumnElement[str] = deliveries.c.id
        mine = and_(
            deliveries.c.tenant_id == replay.tenant_id,
            ENDED_BADLY,
            deliveries.c.state == literal(DeliveryState.EXHAUSTED.value, literal_execute=True),
        )
    else:
        key = delivery_targets.c.delivery_id
        mine = delivery_targets.c.tenant_id == replay.tenant_id
    return select(key.label("delivery_id")).where(mine, key > place, key < end).order_by(key).limit(most).subquery()


def _of_target(replay: ReplayRecord) -> list[ColumnElement[bool]]:
    """What of the filter never changes for a delivery, and that it was there when the replay was made."""
    wanted, target = replay.filter, delivery_targets.c
    conditions = [target.created_at <= replay.created_at]
    if wanted.created_after is not None:
        conditions.append(target.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(target.created_at < wanted.created_before)
    if wanted.endpoint_id is not None:
        conditions.append(target.endpoint_id == wanted.endpoint_id)
    if wanted.url is not None:
        conditions.append(target.url == wanted.url)
    if wanted.destination is not None:
        conditions.append(goes_to(wanted.destination))
    if wanted.event_types:
        conditions.append(or_(*[_matches(pattern) for pattern in wanted.event_types]))
    return conditions


def _in_state(replay: ReplayRecord) -> list[ColumnElement[bool]]:
    """That it is in one of the wanted states, and was so when the replay was made.

    One without a try in its schedule does not wait for a retry: another replay has made it due.
    """
    states = [literal(state.value, literal_execute=True) for state in replay.filter.states]
    was_tried = or_(deliveries.c.state != DeliveryState.RETRYING.value, deliveries.c.tries > 0)
    return [deliveries.c.state.in_(states), was_tried, replay.created_at >= _SETTLED_AT]


def _matches(pattern: str) -> ColumnElement[bool]:
    """As ``ringback_schemas.endpoints.wants``; LIKE would take capitals for small letters in SQLite."""
    event_type = delivery_targets.c.event_type
    if not pattern.endswith("*"):
        return event_type == pattern
    start = pattern[:-1]
    return func.substr(event_type, 1, len(start)) == start


def _id_at(moment: datetime) -> str:
    return earliest_id("dlv", max(0, int(moment.timestamp() * 1000)))
