"""The feed of events: page after page, and on for as long as somebody listens."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ringback.client.errors import ApiUnreachable, ClientError, ProblemError
from ringback.client.transport import TRANSIENT, Transport
from ringback_schemas.http import EventBody, EventFeedBody

PAGE = 100
WAIT_S = 20.0
"""How long one request waits for an event: less than a request may take."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0

OnConnection = Callable[[ClientError | None], None]
"""Told why the API is away, and None when it answers: at first, and again after an outage."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of the feed."""

    id: str
    """The ``webhook-id`` of its webhooks."""
    type: str
    job_id: str | None
    """Absent for an event of no job."""
    created_at: datetime
    cursor: str
    """For ``after``: goes on behind this event."""
    body: bytes
    """The very bytes that its webhooks carry."""

    def json(self) -> Any:
        """The body parsed: ``type``, ``timestamp``, ``data``."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants of the feed, and from where on."""

    after: str | None
    since: str | None
    """RFC 3339."""
    types: Sequence[str]

    def query(self) -> list[tuple[str, str]]:
        """As parameters of a request."""
        given = {"after": self.after, "since": self.since}
        beginning = [(name, value) for name, value in given.items() if value is not None]
        return [*beginning, *(("types", one) for one in self.types), ("limit", str(PAGE)), ("body", "text")]


async def read_events(transport: Transport, asked: Asked) -> AsyncGenerator[Event]:
    """What there is, oldest first."""
    while True:
        page = await _page(transport, asked, 0)
        for item in page.items:
            yield _event(item)
        if not page.has_more:
            return
        asked = Asked(page.next, None, asked.types)


async def follow_events(transport: Transport, asked: Asked, on_connection: OnConnection) -> AsyncGenerator[Event]:
    """What there is and what comes, for ever; outages of the API after its first answer are waited out.

    Raises:
        ClientError: the first answer is none; later, the API refuses in a way that does not pass.
    """
    # without waiting: until there is an answer nobody knows where "now" is
    page = await _page(transport, asked, 0)
    on_connection(None)
    while True:
        for item in page.items:
            yield _event(item)
        asked = Asked(page.next, None, asked.types)
        page = await _patiently(transport, asked, 0 if page.has_more else WAIT_S, on_connection)


async def _patiently(transport: Transport, asked: Asked, wait_s: float, on_connection: OnConnection) -> EventFeedBody:
    """The page, however long the API is away."""
    pause_s = 0.0
    while True:
        try:
            page = await _page(transport, asked, wait_s)
        except ClientError as error:
            if not _is_outage(error):
                raise
            on_connection(error)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2 or FIRST_PAUSE_S)
            await asyncio.sleep(pause_s)
        else:
            if pause_s:
                on_connection(None)
            return page


def _is_outage(error: ClientError) -> bool:
    return isinstance(error, ApiUnreachable) or (isinstance(error, ProblemError) and error.status in TRANSIENT)


async def _page(transport: Transport, asked: Asked, wait_s: float) -> EventFeedBody:
    answer = await transport.request("GET", "/v1/events", query=[*asked.query(), ("wait", f"{wait_s:g}")])
    return EventFeedBody.model_validate_json(answer.body)


def _event(item: EventBody) -> Event:
    body = item.body.encode() if isinstance(item.body, str) else orjson.dumps(item.body)
    return Event(item.id, item.type, item.job_id, item.created_at, item.cursor, body)
