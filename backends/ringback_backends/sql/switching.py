"""Turning endpoints off and on, with what waits for them and what is told of it.

The endpoint's row is locked first, then its deliveries: see ``endpoints``.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, true, update

from ringback_backends.sql.arranging import arrange
from ringback_backends.sql.columns import now
from ringback_backends.sql.operational import tell_of_endpoint
from ringback_backends.sql.parking import park_waiting
from ringback_backends.sql.tables import endpoints
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.operational import ENDPOINT_DISABLED, ENDPOINT_ENABLED

_FRESH: dict[str, Any] = {
    "is_enabled": True,
    "disabled_reason": None,
    "disabled_at": None,
    "failures_in_row": 0,
    "first_failure_at": None,
    "enabled_at": now(),
}


def switch_on(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Enable the endpoint for which the condition holds; nothing when none does, or it is enabled."""
    disabled = and_(condition, endpoints.c.is_enabled.is_not(true()))
    row = connection.execute(update(endpoints).where(disabled).values(_FRESH).returning(endpoints.c.id)).one_or_none()
    if row is None:
        return
    arrange(connection, row.id, is_lined_up=True)
    found = connection.execute(select(endpoints).where(endpoints.c.id == row.id)).one()
    tell_of_endpoint(connection, ENDPOINT_ENABLED, found)


def switch_off(connection: Connection, condition: ColumnElement[bool], reason: DisabledReason) -> None:
    """Disable the endpoint for which the condition holds; one that is disabled keeps its reason."""
    stopped = {"is_enabled": False, "disabled_reason": reason.value, "disabled_at": now()}
    enabled = and_(condition, endpoints.c.is_enabled)
    row = connection.execute(update(endpoints).where(enabled).values(stopped).returning(endpoints.c.id)).one_or_none()
    if row is None:
        return
    park_waiting(connection, row.id)
    found = connection.execute(select(endpoints).where(endpoints.c.id == row.id)).one()
    tell_of_endpoint(connection, ENDPOINT_DISABLED, found)
