"""Operational events: written in the very transaction that changes what they tell of.

So none is forgotten and none is told twice. See ``ringback_schemas.operational`` for what they say and who gets them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, select

from ringback_backends.sql.columns import now
from ringback_backends.sql.rows import from_json
from ringback_backends.sql.tables import deliveries, delivery_attempts, delivery_targets, endpoints
from ringback_backends.sql.telling import add_events
from ringback_schemas.deliveries import DeliveryKind, NewDelivery, Verdict
from ringback_schemas.endpoints import DisabledReason, EndpointHealth
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import DeliveryId, EndpointId, EventId, TenantId, fanned_delivery_id, new_event_id
from ringback_schemas.operational import (
    DELIVERY_EXHAUSTED,
    OPERATIONAL,
    EndpointNews,
    ExhaustedDelivery,
    endpoint_event,
    exhausted_event,
    subscribes,
)

_EXHAUSTED: Select[Any] = (
    select(
        *(delivery_targets.c.tenant_id, delivery_targets.c.delivery_id, delivery_targets.c.event_id),
        *(delivery_targets.c.event_type, delivery_targets.c.job_id, delivery_targets.c.endpoint_id),
        *(delivery_targets.c.url, deliveries.c.tries),
        *(delivery_attempts.c.verdict, delivery_attempts.c.reason, delivery_attempts.c.status),
    )
    .join_from(
        deliveries,
        delivery_targets,
        and_(delivery_targets.c.tenant_id == deliveries.c.tenant_id, delivery_targets.c.delivery_id == deliveries.c.id),
    )
    .join(
        delivery_attempts,
        and_(delivery_attempts.c.delivery_id == deliveries.c.id, delivery_attempts.c.attempt == deliveries.c.attempt),
    )
)
"""Deliveries with their last attempt."""


@dataclass(frozen=True, slots=True)
class _News:
    """Something to be told to a tenant's endpoints, but for the one that it is about."""

    tenant_id: TenantId
    type: str
    body: bytes
    about: EndpointId | None


def tell_of_endpoint(connection: Connection, event_type: str, row: Row[Any]) -> tuple[DeliveryId, ...]:
    """Tell what happened to an endpoint, of its row as it is now; the deliveries that this brings about."""
    reason = None if row.disabled_reason is None else DisabledReason(row.disabled_reason)
    health = EndpointHealth(row.failures_in_row, row.first_failure_at, row.last_success_at)
    body = endpoint_event(event_type, _moment(connection), EndpointNews(row.id, row.url, reason, health))
    return _tell(connection, [_News(row.tenant_id, event_type, body, row.id)])


def tell_of_exhausted(connection: Connection, delivery_ids: Sequence[DeliveryId]) -> tuple[DeliveryId, ...]:
    """Tell of deliveries that were given up, but for those of operational events."""
    if not delivery_ids:
        return ()
    moment = _moment(connection)
    rows = connection.execute(_EXHAUSTED.where(deliveries.c.id.in_(delivery_ids)).order_by(deliveries.c.id))
    return _tell(connection, [_exhausted(row, moment) for row in rows if row.event_type not in OPERATIONAL])


def _exhausted(row: Row[Any], moment: datetime) -> _News:
    given_up = ExhaustedDelivery(
        delivery_id=row.delivery_id,
        event_id=row.event_id,
        event_type=row.event_type,
        job_id=row.job_id or None,
        endpoint_id=row.endpoint_id,
        url=row.url,
        attempts=row.tries,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        status=row.status,
    )
    return _News(row.tenant_id, DELIVERY_EXHAUSTED, exhausted_event(moment, given_up), row.endpoint_id)


def _tell(connection: Connection, news: Sequence[_News]) -> tuple[DeliveryId, ...]:
    receivers = _enabled(connection, {one.tenant_id for one in news})
    told = []
    for one in news:
        event_id = new_event_id()
        wanted = tuple(
            _delivery(event_id, row)
            for row in receivers
            if row.tenant_id == one.tenant_id
            and row.id != one.about
            and subscribes(from_json(row.event_filter), one.type)
        )
        told.append(NewEvent(event_id, one.tenant_id, None, one.type, one.body, wanted))
    add_events(connection, told)
    return tuple(new.id for event in told for new in event.deliveries)


def _enabled(connection: Connection, tenant_ids: set[TenantId]) -> Sequence[Row[Any]]:
    if not tenant_ids:
        return ()
    # one without a filter asks for none
    asking = and_(endpoints.c.tenant_id.in_(tenant_ids), endpoints.c.is_enabled, endpoints.c.event_filter != "[]")
    return connection.execute(select(endpoints).where(asking).order_by(endpoints.c.id)).all()


def _delivery(event_id: EventId, row: Row[Any]) -> NewDelivery:
    delivery_id = fanned_delivery_id(event_id, row.id)
    return NewDelivery(delivery_id, DeliveryKind.ENDPOINT, row.url, row.destination, row.id)


def _moment(connection: Connection) -> datetime:
    moment: datetime = connection.execute(select(now())).scalar_one()
    return moment
