"""Deliveries of events to the endpoints that want them."""

import sqlite3
from collections.abc import Sequence

from ringback_backends.sql.lane_columns import LANE
from ringback_backends.sql.rows import from_json
from ringback_backends.sql.sqlite.batches import listed, rows_of
from ringback_schemas.deliveries import DeliveryKind, NewDelivery
from ringback_schemas.endpoints import wants
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import fanned_delivery_id

# ?1 tenants
ENABLED = f"""
SELECT json_group_array(json_array(e.tenant_id, e.id, e.url, {LANE}, e.event_filter, e.is_fifo))
FROM endpoints AS e WHERE e.tenant_id IN (SELECT value FROM json_each(?1)) AND e.is_enabled
"""  # noqa: S608 - our own words


def fan_out(connection: sqlite3.Connection, events: Sequence[NewEvent]) -> list[tuple[NewEvent, NewDelivery, bool]]:
    """One delivery of each event for each enabled endpoint of its tenant that wants it, and whether it is in line.

    Its ``destination`` is the name of its lane.
    """
    if not events:
        return []
    enabled = rows_of(connection, ENABLED, listed(sorted({event.tenant_id for event in events})))
    return [
        (event, NewDelivery(fanned_delivery_id(event.id, id_), DeliveryKind.ENDPOINT, url, lane, id_), bool(is_fifo))
        for event in events
        for tenant_id, id_, url, lane, event_filter, is_fifo in enabled
        if tenant_id == event.tenant_id and wants(from_json(event_filter), event.type)
    ]
