"""What recorded attempts turn: endpoints that begin to fail, recover, or are given up; deliveries that are given up.

Attempts that turn nothing, nearly all, are recorded without a look at this: see ``record_attempts`` of either database.
Those that do are recorded between ``receivers_before`` and ``settle``, in one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from ringback_backends.sql.columns import now
from ringback_backends.sql.operational import tell_of_endpoint, tell_of_exhausted
from ringback_backends.sql.switching import switch_off
from ringback_backends.sql.tables import endpoints
from ringback_schemas.deliveries import DeliveryOutcome
from ringback_schemas.endpoint_health import HealthRules, turn
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DeliveryId, EndpointId
from ringback_schemas.states import DeliveryState

Failures = Mapping[EndpointId, int]
"""Failures in a row."""


def is_told(outcome: DeliveryOutcome) -> bool:
    """Whether recording it brings about an event, whatever becomes of its endpoint."""
    return outcome.state is DeliveryState.EXHAUSTED and not outcome.is_operational


def receivers_before(connection: Connection, outcomes: Iterable[DeliveryOutcome]) -> Failures:
    """Lock the endpoints of these outcomes, and remember how they are."""
    ids = {outcome.endpoint_id for outcome in outcomes if outcome.endpoint_id is not None}
    if not ids:
        return {}
    query = select(endpoints.c.id, endpoints.c.failures_in_row).where(endpoints.c.id.in_(ids))
    rows = connection.execute(query.order_by(endpoints.c.id).with_for_update(key_share=True))
    return {row.id: row.failures_in_row for row in rows}


def settle(connection: Connection, before: Failures, exhausted: Sequence[DeliveryId], rules: HealthRules) -> None:
    """Change what the attempts recorded since turn, and tell of it."""
    if before:
        moment: datetime = connection.execute(select(now())).scalar_one()
        found = connection.execute(select(endpoints).where(endpoints.c.id.in_(list(before))).order_by(endpoints.c.id))
        for row in found.all():
            if row.is_enabled and row.failures_in_row != before[row.id]:
                _settle(connection, row, before[row.id], moment, rules)
    tell_of_exhausted(connection, exhausted)


def _settle(connection: Connection, row: Row[Any], before: int, moment: datetime, rules: HealthRules) -> None:
    turned = turn(before, row.failures_in_row)
    if turned is not None:
        tell_of_endpoint(connection, turned, row)
    if rules.give_up(row.failures_in_row, _bad_for_s(row, moment)):
        switch_off(connection, endpoints.c.id == row.id, DisabledReason.FAILING)


def _bad_for_s(row: Row[Any], moment: datetime) -> float:
    since = row.last_success_at or row.first_failure_at or moment
    if row.enabled_at is not None:
        since = max(since, row.enabled_at)
    return float((moment - since).total_seconds())
