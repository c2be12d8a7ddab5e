"""Handlers for registered endpoints; their secrets are in ``secrets``."""

from datetime import UTC, datetime
from functools import partial

from aiohttp import web

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.audit import AuditAction
from ringback_schemas.deliveries import DeliveryKind, NewDelivery
from ringback_schemas.documents import event_body
from ringback_schemas.endpoints import MAX_ENDPOINTS, DisabledReason, EndpointRecord
from ringback_schemas.events import ENDPOINT_TEST, NewEvent
from ringback_schemas.http import EndpointPage, EndpointPatch, EndpointRequest
from ringback_schemas.ids import DeliveryId, EndpointId, new_delivery_id, new_endpoint_id, new_event_id
from ringback_schemas.problems import Problems
from ringback_service.api.auditing import audit
from ringback_service.api.bodies import read_model
from ringback_service.api.calls import Call, model_answer
from ringback_service.api.deliveries import disabled, show_delivery
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.endpoint_settings import URL_POINTER, changed, settings_of, show_endpoint
from ringback_service.api.paging import Place
from ringback_service.api.queries import PageQuery, read_query
from ringback_service.api.refusals import Refused
from ringback_service.api.secrets import fresh_secret

_TRIES = 5
"""Changes of the same endpoint that may come between before somebody is told to try again."""


async def create_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Register an endpoint; from now on it gets the events that it wants.

    Its secret is behind `links.secret`, for keys with the scope `secrets`.
    """
    wanted = await read_model(call.request, EndpointRequest, deps.max_body_bytes)
    settings = await settings_of(wanted, deps.callbacks)
    secret = fresh_secret(wanted.signing, wanted.secret)
    endpoint_id = new_endpoint_id()
    await audit(deps, call, AuditAction.ENDPOINT_CREATED, endpoint_id, destination=settings.destination)
    record = await deps.store.create_endpoint(call.tenant_id, endpoint_id, settings, secret)
    if record is None:
        detail = f"the tenant has {MAX_ENDPOINTS} endpoints already, which is as many as it may have"
        raise Refused(Problems.TOO_MANY_ENDPOINTS, detail)
    body = show_endpoint(record, deps.public_url)
    return model_answer(body, status=201, headers={"Location": body.links.self})


async def list_endpoints(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show the tenant's endpoints, newest first."""
    place = Place.of(call, "end", EndpointId, read_query(call.request, PageQuery).limit)
    page = await place.page(partial(deps.store.list_endpoints, call.tenant_id), deps.public_url)
    items = [show_endpoint(row, deps.public_url) for row in page.rows]
    return model_answer(EndpointPage(items=items, next=page.next_url), headers=page.headers)


async def get_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show an endpoint."""
    return model_answer(show_endpoint(await find_endpoint(deps, call), deps.public_url))


async def update_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Change what the request names of an endpoint; deliveries that wait go to the new URL."""
    patch = await read_model(call.request, EndpointPatch, deps.max_body_bytes)
    found = await find_endpoint(deps, call)
    await audit(deps, call, AuditAction.ENDPOINT_UPDATED, found.id, fields=" ".join(sorted(patch.model_fields_set)))
    for _ in range(_TRIES):
        settings = await changed(found.settings, patch, deps.callbacks)
        record = await deps.store.update_endpoint(call.tenant_id, found.id, found.version, settings)
        if record is not None:
            return model_answer(show_endpoint(record, deps.public_url))
        found = await find_endpoint(deps, call)
    raise Refused(Problems.EDIT_CONFLICT, "others change this endpoint all the time; try again")


async def delete_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Forget an endpoint and its secrets; what waits for it is cancelled. Its past deliveries stay."""
    found = await find_endpoint(deps, call)
    await audit(deps, call, AuditAction.ENDPOINT_DELETED, found.id, destination=found.settings.destination)
    await deps.store.delete_endpoint(call.tenant_id, found.id)
    return web.Response(status=204, headers={"Cache-Control": "no-store"})


async def enable_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Let an endpoint get events again; what waited for it is due at once. Safe to repeat."""
    found = await find_endpoint(deps, call)
    await audit(deps, call, AuditAction.ENDPOINT_ENABLED, found.id)
    return _show(deps, found.id, await deps.store.enable_endpoint(call.tenant_id, found.id))


async def disable_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Send an endpoint nothing more; what waits for it is kept until it is enabled. Safe to repeat."""
    found = await find_endpoint(deps, call)
    await audit(deps, call, AuditAction.ENDPOINT_DISABLED, found.id)
    record = await deps.store.disable_endpoint(call.tenant_id, found.id, DisabledReason.REQUESTED)
    return _show(deps, found.id, record)


async def test_endpoint(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Send an `endpoint.test` event to this endpoint only, whatever its filter says.

    It is a delivery like any: signed, guarded, tried again, and kept with its attempts. An event type of its own tells
    it from real ones.
    """
    endpoint = await find_endpoint(deps, call)
    if not endpoint.is_enabled:
        raise disabled(endpoint)
    await deps.callbacks.vet(endpoint.settings.url, URL_POINTER)
    delivery_id = new_delivery_id()
    await deps.store.add_event(_test_event(endpoint, delivery_id))
    deps.announcer.announce(DELIVERIES, (delivery_id,))
    return await show_delivery(deps, call, delivery_id, status=202)


async def find_endpoint(deps: ApiDependencies, call: Call) -> EndpointRecord:
    """The endpoint that the path names.

    Raises:
        Refused: the tenant has no such endpoint.
    """
    endpoint_id = EndpointId(call.id_in_path("end", Problems.ENDPOINT_NOT_FOUND))
    record = await deps.store.get_endpoint(call.tenant_id, endpoint_id)
    if record is None:
        raise _unknown(endpoint_id)
    return record


def _test_event(endpoint: EndpointRecord, delivery_id: DeliveryId) -> NewEvent:
    message = "A test that somebody asked for. Whoever reads this gets webhooks."
    settings = endpoint.settings
    new = NewDelivery(delivery_id, DeliveryKind.ENDPOINT, settings.url, settings.destination, endpoint.id)
    return NewEvent(
        id=new_event_id(),
        tenant_id=endpoint.tenant_id,
        job_id=None,
        type=ENDPOINT_TEST,
        body=event_body(ENDPOINT_TEST, datetime.now(UTC), {"endpoint_id": endpoint.id, "message": message}),
        deliveries=(new,),
    )


def _show(deps: ApiDependencies, endpoint_id: EndpointId, record: EndpointRecord | None) -> web.StreamResponse:
    if record is None:
        raise _unknown(endpoint_id)
    return model_answer(show_endpoint(record, deps.public_url))


def _unknown(endpoint_id: EndpointId) -> Refused:
    return Refused(Problems.ENDPOINT_NOT_FOUND, f"there is no endpoint {endpoint_id}")
