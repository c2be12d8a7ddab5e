"""The body of a webhook, and events as the feed shows them."""

from datetime import datetime
from typing import Any

from ringback_schemas.http.base import AnswerBody
from ringback_schemas.http.jobs import EventType, JobBody


class JobEventBody(AnswerBody):
    """What a receiver gets: one event of one job (Standard Webhooks 1.0, payload structure)."""

    type: EventType
    timestamp: datetime
    """When it happened; `webhook-timestamp` says when it was sent."""
    data: JobBody


class EventBody(AnswerBody):
    """An event of the feed."""

    id: str
    """The `webhook-id` of its webhooks."""
    type: str
    job_id: str | None
    """Null for an event of no job, such as `endpoint.test`."""
    created_at: datetime
    """When it was stored."""
    cursor: str
    """For `after`: goes on behind this event."""
    body: dict[str, Any] | str
    """The body of its webhooks, `{"type", "timestamp", "data"}`; with `body=text` as a string of the very bytes."""


class EventFeedBody(AnswerBody):
    """Events of the tenant, oldest first. None is skipped and none comes twice, whoever else writes meanwhile."""

    items: list[EventBody]
    next: str
    """For `after` of the next request; always there, also when nothing is new."""
    has_more: bool
    """Whether there is more to ask for at once."""
