"""What becomes of an endpoint's waiting deliveries when the endpoint changes. The caller holds the endpoint's row."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, literal, null, select, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.tables import deliveries, delivery_targets
from ringback_schemas.ids import EndpointId, TenantId
from ringback_schemas.states import DELIVERY_READY, DeliveryState

READY = deliveries.c.state.in_([literal(state.value, literal_execute=True) for state in DELIVERY_READY])
"""Spelt as in the partial indexes."""

PARKED: dict[str, Any] = {"next_attempt_at": None, "waits_for": None}
"""No claim finds a delivery without a time."""

MOST_PARKED = 20_000
"""Deliveries that disabling an endpoint parks at once, in about half a second. The attempt that gives an endpoint up
does so too, and the other attempts of its batch wait for that."""

CANCELLED: dict[str, Any] = {**PARKED, "state": DeliveryState.CANCELLED.value, "finished_at": now()}


def park_waiting(connection: Connection, endpoint_id: EndpointId) -> None:
    """Stop them until the endpoint is enabled; of very many the oldest. The rest is withheld when its turn comes."""
    oldest = select(deliveries.c.id).where(_waiting(endpoint_id)).order_by(deliveries.c.id).limit(MOST_PARKED)
    connection.execute(update(deliveries).where(deliveries.c.id.in_(oldest)).values(PARKED))


def free_parked(connection: Connection, endpoint_id: EndpointId) -> None:
    """Make due what was parked; see ``lines.line_up`` for those who care for the order."""
    parked = and_(_waiting(endpoint_id), deliveries.c.next_attempt_at.is_(None))
    connection.execute(update(deliveries).where(parked).values(next_attempt_at=now()))


def cancel_waiting(connection: Connection, endpoint_id: EndpointId) -> None:
    """End them."""
    connection.execute(update(deliveries).where(_waiting(endpoint_id)).values(CANCELLED))


def redirect_waiting(connection: Connection, tenant_id: TenantId, endpoint_id: EndpointId, url: str) -> None:
    """Send them to the new URL."""
    waiting = select(deliveries.c.id).where(_waiting(endpoint_id))
    targets = and_(delivery_targets.c.tenant_id == tenant_id, delivery_targets.c.delivery_id.in_(waiting))
    connection.execute(update(delivery_targets).where(targets).values(url=url))


def move_waiting(connection: Connection, endpoint_id: EndpointId, lane: str) -> None:
    """Have them go by another lane, where nobody has told them to wait yet."""
    moved = and_(_waiting(endpoint_id), deliveries.c.destination != lane)
    connection.execute(update(deliveries).where(moved).values(destination=lane, waits_for=null()))


def _waiting(endpoint_id: EndpointId) -> ColumnElement[bool]:
    return and_(deliveries.c.endpoint_id == endpoint_id, READY)
