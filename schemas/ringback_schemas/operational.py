"""Operational events: what happened to endpoints and deliveries, for endpoints that ask for them by name.

They are events of no job. What becomes of their own deliveries is told to nobody and speaks neither for nor against
the endpoint that they go to: two receivers that fail and recover could else report each other for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringback_schemas.deliveries import Verdict
from ringback_schemas.documents import event_body, timestamp
from ringback_schemas.endpoints import DisabledReason, EndpointHealth, wants
from ringback_schemas.ids import DeliveryId, EndpointId, EventId, JobId

ENDPOINT_FAILING = "endpoint.failing"
"""So many attempts in a row failed that somebody should look; once in a row of failures."""
ENDPOINT_RECOVERED = "endpoint.recovered"
"""The first success after that."""
ENDPOINT_DISABLED = "endpoint.disabled"
ENDPOINT_ENABLED = "endpoint.enabled"
DELIVERY_EXHAUSTED = "delivery.exhausted"
"""A delivery will not be tried again by itself."""

OF_ENDPOINTS = (ENDPOINT_FAILING, ENDPOINT_RECOVERED, ENDPOINT_DISABLED, ENDPOINT_ENABLED)
OPERATIONAL = frozenset({*OF_ENDPOINTS, DELIVERY_EXHAUSTED})
"""All of them."""


@dataclass(frozen=True, slots=True)
class EndpointNews:
    """What an event tells of an endpoint."""

    endpoint_id: EndpointId
    url: str
    disabled_reason: DisabledReason | None
    health: EndpointHealth


@dataclass(frozen=True, slots=True)
class ExhaustedDelivery:
    """What an event tells of a delivery that was given up."""

    delivery_id: DeliveryId
    event_id: EventId
    event_type: str
    job_id: JobId | None
    endpoint_id: EndpointId | None
    url: str
    attempts: int
    """Since its schedule began."""
    verdict: Verdict
    """Of the last."""
    reason: str
    status: int | None


def subscribes(event_filter: Sequence[str], event_type: str) -> bool:
    """Whether a filter asks for an operational event: by its name, or as ``endpoint.*``.

    No filter, and ``*``, mean everything that happens to jobs: receivers of those need not know any other form.
    """
    named = [pattern for pattern in event_filter if pattern != "*"]
    return bool(named) and wants(named, event_type)


def endpoint_event(event_type: str, at: datetime, news: EndpointNews) -> bytes:
    """The body of an event about an endpoint: as ``http.EndpointEventBody`` has it."""
    health, reason = news.health, news.disabled_reason
    data: dict[str, Any] = {
        "endpoint_id": news.endpoint_id,
        "url": news.url,
        "disabled_reason": None if reason is None else reason.value,
        "failures_in_row": health.failures_in_row,
        "first_failure_at": _optional(health.first_failure_at),
        "last_success_at": _optional(health.last_success_at),
    }
    return event_body(event_type, at, data)


def exhausted_event(at: datetime, given_up: ExhaustedDelivery) -> bytes:
    """The body of ``delivery.exhausted``: as ``http.DeliveryExhaustedBody`` has it."""
    data: dict[str, Any] = {
        "delivery_id": given_up.delivery_id,
        "event_id": given_up.event_id,
        "event_type": given_up.event_type,
        "job_id": given_up.job_id,
        "endpoint_id": given_up.endpoint_id,
        "url": given_up.url,
        "attempts": given_up.attempts,
        "verdict": given_up.verdict.value,
        "reason": given_up.reason,
        "status": given_up.status,
    }
    return event_body(DELIVERY_EXHAUSTED, at, data)


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
