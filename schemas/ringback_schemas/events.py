"""Events: what happened, mostly to a job, in the very bytes that its webhooks carry."""

from dataclasses import dataclass
from datetime import datetime

from ringback_schemas.deliveries import NewDelivery
from ringback_schemas.ids import EventId, JobId, TenantId
from ringback_schemas.states import JobState

EVENT_TYPES: dict[JobState, str] = {
    JobState.SUCCEEDED: "job.succeeded",
    JobState.FAILED: "job.failed",
    JobState.CANCELLED: "job.cancelled",
    JobState.EXPIRED: "job.expired",
}
"""The event of each terminal state."""

ENDPOINT_TEST = "endpoint.test"
"""What somebody sends to an endpoint to see whether it arrives."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be stored with its deliveries."""

    id: EventId
    tenant_id: TenantId
    job_id: JobId | None
    """Absent when it is about something else than a job."""
    type: str
    body: bytes
    """``{"type", "timestamp", "data"}`` as JSON, built once and sent byte-identical on every try."""
    deliveries: tuple[NewDelivery, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of the feed."""

    place: int
    """Where it is in the feed; its tenant's next one is at a greater one, mostly not the next number."""
    id: EventId
    job_id: JobId | None
    type: str
    body: bytes
    created_at: datetime
    """When it was stored, by the database's clock."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of one tenant, in the order of the feed."""

    events: tuple[StoredEvent, ...]
    place: int
    """Where to go on: nothing that was asked for lies between the last event and this place."""
    has_more: bool
    """Whether there is more behind it to be looked at now."""
