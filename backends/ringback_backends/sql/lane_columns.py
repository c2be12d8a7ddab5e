"""Lanes in the tables: ``deliveries.destination`` holds the name of the lane that a delivery goes by."""

from typing import Any

from sqlalchemy import ColumnElement, Row, ScalarSelect, and_, case, func, or_, select

from ringback_backends.sql.tables import deliveries, endpoints
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.endpoints import Consent
from ringback_schemas.lane_names import MARK

IN_LINE = deliveries.c.waits_for == WaitReason.FIFO.value
"""Of an endpoint that takes one at a time. Kept while it is sent and tried again: only ``lines`` hands it out."""

LANE = f"""CASE WHEN e.rate_limit_per_s IS NOT NULL OR e.max_in_flight IS NOT NULL OR e.is_fifo
                OR e.consent <> '{Consent.NOT_REQUIRED.value}'
           THEN e.destination || '{MARK}' || e.id ELSE e.destination END"""
"""The lane of the endpoint ``e``, for both databases: what ``lane_names.lane_of`` says."""


def lane_of_row(row: Row[Any]) -> str:
    """The same, of a row of ``endpoints``."""
    is_limited = row.rate_limit_per_s is not None or row.max_in_flight is not None
    has_own = is_limited or row.is_fifo or row.consent != Consent.NOT_REQUIRED.value
    return f"{row.destination}{MARK}{row.id}" if has_own else str(row.destination)


_THEIR_OWN = endpoints.c.destination + MARK + endpoints.c.id
_HAS_OWN = or_(
    endpoints.c.rate_limit_per_s.is_not(None),
    endpoints.c.max_in_flight.is_not(None),
    endpoints.c.is_fifo,
    endpoints.c.consent != Consent.NOT_REQUIRED.value,
)


def _of_its_endpoint(value: ColumnElement[Any]) -> ScalarSelect[Any]:
    return select(value).where(endpoints.c.id == deliveries.c.endpoint_id).correlate(deliveries).scalar_subquery()


ITS_LANE = func.coalesce(
    _of_its_endpoint(case((_HAS_OWN, _THEIR_OWN), else_=endpoints.c.destination)), deliveries.c.destination
)
"""Where a delivery that is sent anew goes: its endpoint may have changed since."""

ITS_LINE = _of_its_endpoint(case((endpoints.c.is_fifo, WaitReason.FIFO.value)))
"""What it waits for then."""

BY_ITS_ENDPOINT: dict[str, Any] = {"destination": ITS_LANE, "waits_for": ITS_LINE}


def goes_to(destination: str) -> ColumnElement[bool]:
    """A delivery of any lane there."""
    lane = deliveries.c.destination
    # what begins with the name and the mark: "$" is the character behind "#"
    own = and_(lane > f"{destination}{MARK}", lane < f"{destination}{chr(ord(MARK) + 1)}")
    return or_(lane == destination, own)
