"""The bodies of operational events' webhooks."""

from datetime import datetime
from typing import Literal

from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.http.base import AnswerBody


class EndpointEventData(AnswerBody):
    """An endpoint, as it was when the event happened."""

    endpoint_id: str
    url: str
    disabled_reason: DisabledReason | None
    """Why it gets nothing; null while it is enabled."""
    failures_in_row: int
    """Failed attempts since the last good one."""
    first_failure_at: datetime | None
    """Of that row."""
    last_success_at: datetime | None
    """To the minute."""


class EndpointEventBody(AnswerBody):
    """Something happened to an endpoint."""

    type: Literal["endpoint.failing", "endpoint.recovered", "endpoint.disabled", "endpoint.enabled"]
    timestamp: datetime
    """When it happened; `webhook-timestamp` says when it was sent."""
    data: EndpointEventData


class ExhaustedData(AnswerBody):
    """A delivery that was given up."""

    delivery_id: str
    event_id: str
    event_type: str
    job_id: str | None
    """Null for an event of no job."""
    endpoint_id: str | None
    """Null for a job's own callback."""
    url: str
    attempts: int
    """Since its schedule began."""
    verdict: Verdict
    """Of the last attempt."""
    reason: str
    """What happened then, in a sentence."""
    status: int | None
    """What the receiver answered then; null when it did not."""


class DeliveryExhaustedBody(AnswerBody):
    """A delivery was given up: it will not be tried again by itself."""

    type: Literal["delivery.exhausted"]
    timestamp: datetime
    """When that was decided."""
    data: ExhaustedData
