"""Events that are not a job's end."""

from sqlalchemy import Connection, insert, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.lane_columns import BY_ITS_ENDPOINT
from ringback_backends.sql.tables import NO_JOB, deliveries, delivery_targets, events
from ringback_schemas.deliveries import NewDelivery
from ringback_schemas.events import NewEvent
from ringback_schemas.states import DeliveryState


class EventQueries:
    """Stores events by themselves."""

    _database: Database

    async def add_event(self, event: NewEvent) -> None:
        """See ``DeliveryStore.add_event``."""
        await self._database.write("add_event", lambda connection: _add(connection, event))


def _add(connection: Connection, event: NewEvent) -> None:
    row = {
        "id": event.id,
        "tenant_id": event.tenant_id,
        "job_id": event.job_id or NO_JOB,
        "type": event.type,
        "body": event.body,
        "created_at": now(),
        "job_created_at": now(),
    }
    connection.execute(insert(events).values(row))
    for new in event.deliveries:
        _deliver(connection, event, new)


def _deliver(connection: Connection, event: NewEvent, new: NewDelivery) -> None:
    pending = {
        "id": new.id,
        "tenant_id": event.tenant_id,
        "destination": new.destination,
        "state": DeliveryState.PENDING.value,
        "attempt": 0,
        "tries": 0,
        "next_attempt_at": now(),
        "endpoint_id": new.endpoint_id,
    }
    target = {
        "tenant_id": event.tenant_id,
        "delivery_id": new.id,
        "event_id": event.id,
        "event_type": event.type,
        "job_id": event.job_id or NO_JOB,
        "kind": new.kind.value,
        "endpoint_id": new.endpoint_id,
        "url": new.url,
        "created_at": now(),
    }
    connection.execute(insert(deliveries).values(pending))
    connection.execute(insert(delivery_targets).values(target))
    if new.endpoint_id is not None:
        connection.execute(update(deliveries).where(deliveries.c.id == new.id).values(BY_ITS_ENDPOINT))
