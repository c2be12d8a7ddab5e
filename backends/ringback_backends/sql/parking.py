"""What becomes of an endpoint's waiting deliveries when the endpoint changes. The caller holds the endpoint's row."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, literal, select, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.tables import deliveries
from ringback_schemas.ids import EndpointId
from ringback_schemas.states import DELIVERY_READY, DeliveryState

READY = deliveries.c.state.in_([literal(state.value, literal_execute=True) for state in DELIVERY_READY])
"""Spelt as in the partial indexes."""

PARKED: dict[str, Any] = {"next_attempt_at": None, "waits_for": None}
"""No claim finds a delivery without a time."""

MOST_PARKED = 20_000
"""Deliveries that disabling an endpoint parks at once, and a step of deleting one cancels, in about half a second. The
attempt that gives an endpoint up parks them too, and the other attempts of its batch wait for that."""

CANCELLED: dict[str, Any] = {**PARKED, "state": DeliveryState.CANCELLED.value, "finished_at": now()}


def park_waiting(connection: Connection, endpoint_id: EndpointId) -> None:
    """Stop them until the endpoint is enabled; of very many the oldest. The rest is withheld when its turn comes."""
    connection.execute(update(deliveries).where(_oldest(endpoint_id)).values(PARKED))


def cancel_waiting(connection: Connection, endpoint_id: EndpointId) -> bool:
    """End them; of very many the oldest. False when there are more."""
    connection.execute(update(deliveries).where(_oldest(endpoint_id)).values(CANCELLED))
    return connection.execute(select(deliveries.c.id).where(waiting_for(endpoint_id)).limit(1)).first() is None


def waiting_for(endpoint_id: EndpointId) -> ColumnElement[bool]:
    """What is ready to be sent there, sooner or later."""
    return and_(deliveries.c.endpoint_id == endpoint_id, READY)


def _oldest(endpoint_id: EndpointId) -> ColumnElement[bool]:
    ids = select(deliveries.c.id).where(waiting_for(endpoint_id)).order_by(deliveries.c.id).limit(MOST_PARKED)
    # said twice: who waits for a row that a claim just takes, looks again at this alone
    return and_(READY, deliveries.c.id.in_(ids))
