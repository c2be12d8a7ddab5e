"""The body of a webhook."""

from datetime import datetime

from ringback_schemas.http.base import AnswerBody
from ringback_schemas.http.jobs import EventType, JobBody


class JobEventBody(AnswerBody):
    """What a receiver gets: one event of one job (Standard Webhooks 1.0, payload structure)."""

    type: EventType
    timestamp: datetime
    """When it happened; `webhook-timestamp` says when it was sent."""
    data: JobBody
