"""Events that are not a job's end."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert, update

from ringback_backends.sql.arranging import hold_lines
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
        await self._database.write("add_event", lambda connection: add_events(connection, [event]))


def add_events(connection: Connection, told: Sequence[NewEvent]) -> None:
    """Store events with their deliveries and no others."""
    if not told:
        return
    rows = [
        {
            "id": event.id,
            "tenant_id": event.tenant_id,
            "job_id": event.job_id or NO_JOB,
            "type": event.type,
            "body": event.body,
        }
        for event in told
    ]
    connection.execute(insert(events).values(created_at=now(), job_created_at=now()), rows)
    _deliver(connection, [(event, new) for event in told for new in event.deliveries])


def _deliver(connection: Connection, born: Sequence[tuple[NewEvent, NewDelivery]]) -> None:
    if not born:
        return
    pending = [
        {
            "id": new.id,
            "tenant_id": event.tenant_id,
            "destination": new.destination,
            "state": DeliveryState.PENDING.value,
            "attempt": 0,
            "tries": 0,
            "endpoint_id": new.endpoint_id,
        }
        for event, new in born
    ]
    targets = [
        {
            "tenant_id": event.tenant_id,
            "delivery_id": new.id,
            "event_id": event.id,
            "event_type": event.type,
            "job_id": event.job_id or NO_JOB,
            "kind": new.kind.value,
            "endpoint_id": new.endpoint_id,
            "url": new.url,
        }
        for event, new in born
    ]
    connection.execute(insert(deliveries).values(next_attempt_at=now()), pending)
    connection.execute(insert(delivery_targets).values(created_at=now()), targets)
    of_endpoints = {new.id: new.endpoint_id for _, new in born if new.endpoint_id is not None}
    if of_endpoints:
        hold_lines(connection, set(of_endpoints.values()))
        connection.execute(update(deliveries).where(deliveries.c.id.in_(list(of_endpoints))).values(BY_ITS_ENDPOINT))
