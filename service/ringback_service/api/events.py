"""The handler of the pull feed."""

from typing import Any

import orjson
from aiohttp import web

from ringback_schemas.documents import timestamp
from ringback_schemas.events import EventPage, StoredEvent
from ringback_service.api.calls import Call, json_answer
from ringback_service.api.cursors import binding_of, read_place, write_place
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.feed import Wanted
from ringback_service.api.queries import EventQuery, read_query

NOW = "now"
"""In place of a cursor: behind all there is."""


async def list_events(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show the tenant's events, oldest first, from where the last answer ended.

    The safety net for receivers that were down: whoever comes back with `next` gets every event once, in an order that
    never changes. A cursor holds for its tenant, whatever the types and the limit, over restarts, dumps and restores.
    """
    query = read_query(call.request, EventQuery)
    binding = binding_of(call.tenant_id, call.request.path, ())
    after = await _beginning(deps, call, query, binding)
    wanted = Wanted(call.tenant_id, after, query.limit, tuple(query.types))
    page = await deps.feed.read(wanted, query.wait, lambda: call.request.transport is None)
    return json_answer(_show(page, binding, is_text=query.body == "text"))


async def _beginning(deps: ApiDependencies, call: Call, query: EventQuery, binding: bytes) -> int:
    if query.after == NOW:
        return await deps.store.last_place(call.tenant_id, await deps.store.settled_events())
    if query.after is not None:
        return read_place(query.after, binding)
    if query.since is not None:
        return await deps.store.place_before(call.tenant_id, query.since, await deps.store.settled_events())
    return 0


def _show(page: EventPage, binding: bytes, *, is_text: bool) -> dict[str, Any]:
    return {
        "items": [_show_event(event, binding, is_text=is_text) for event in page.events],
        "next": write_place(page.place, binding),
        "has_more": page.has_more,
    }


def _show_event(event: StoredEvent, binding: bytes, *, is_text: bool) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "job_id": event.job_id,
        "created_at": timestamp(event.created_at),
        "cursor": write_place(event.place, binding),
        "body": event.body.decode() if is_text else orjson.Fragment(event.body),
    }
