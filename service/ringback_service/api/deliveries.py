"""Handlers that show deliveries and send them again."""

from functools import partial

from aiohttp import web

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryDetail, DeliveryRecord
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.http import AttemptBody, DeliveryBody, DeliveryLinks, DeliveryPage, TimingBody
from ringback_schemas.ids import DeliveryId, EndpointId
from ringback_schemas.problems import Problems
from ringback_schemas.states import DELIVERY_DONE, DeliveryState
from ringback_service.api.calls import Call, model_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.jobs import job_id_in_path
from ringback_service.api.paging import Place
from ringback_service.api.queries import DeliveryQuery, read_query
from ringback_service.api.refusals import Refused
from ringback_service.api.showing import find_job


async def list_deliveries_of_job(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show all deliveries of a job with their attempts, oldest first."""
    job_id = job_id_in_path(call)
    details = await deps.store.deliveries_of_job(call.tenant_id, job_id)
    if not details:
        await find_job(deps, call.tenant_id, job_id)
    items = [_show_detail(detail, deps.public_url) for detail in details]
    return model_answer(DeliveryPage(items=items, next=None))


async def list_deliveries(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show deliveries, newest first, without their attempts."""
    query = read_query(call.request, DeliveryQuery)
    place = Place.of(call, "dlv", DeliveryId, query.limit)
    page = await place.page(partial(deps.store.list_deliveries, call.tenant_id, query.state), deps.public_url)
    items = [_show(row, None, deps.public_url) for row in page.rows]
    return model_answer(DeliveryPage(items=items, next=page.next_url), headers=page.headers)


async def get_delivery(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show a delivery with its attempts."""
    return await show_delivery(deps, call, _id_in_path(call), status=200)


async def redeliver(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Send a delivery again, with a fresh schedule: 202 when it is due now, 200 when it is being sent already."""
    delivery_id = _id_in_path(call)
    record = await deps.store.redeliver(call.tenant_id, delivery_id)
    is_due = record is not None and record.state is DeliveryState.PENDING and record.next_attempt_at is not None
    if is_due:
        deps.announcer.announce(DELIVERIES, (delivery_id,))
    elif record is not None and record.endpoint_id is not None:
        await _check_endpoint(deps, call, record.endpoint_id)
    return await show_delivery(deps, call, delivery_id, status=202 if is_due else 200)


async def show_delivery(
    deps: ApiDependencies, call: Call, delivery_id: DeliveryId, *, status: int
) -> web.StreamResponse:
    """A delivery with its attempts, as the answer to what was done with it."""
    return model_answer(_show_detail(await _find(deps, call, delivery_id), deps.public_url), status=status)


async def _check_endpoint(deps: ApiDependencies, call: Call, endpoint_id: EndpointId) -> None:
    """Refuse when it is for the endpoint's sake that nothing is sent."""
    endpoint = await deps.store.get_endpoint(call.tenant_id, endpoint_id)
    if endpoint is None:
        raise Refused(Problems.ENDPOINT_GONE, f"the endpoint {endpoint_id} was deleted")
    if not endpoint.is_enabled:
        raise disabled(endpoint)


def disabled(endpoint: EndpointRecord) -> Refused:
    """The refusal to send something to an endpoint that gets nothing, with the reason why."""
    reason = "" if endpoint.disabled_reason is None else f" ({endpoint.disabled_reason.value})"
    return Refused(Problems.ENDPOINT_DISABLED, f"the endpoint {endpoint.id} is disabled{reason}; enable it first")


def _id_in_path(call: Call) -> DeliveryId:
    return DeliveryId(call.id_in_path("dlv", Problems.DELIVERY_NOT_FOUND))


async def _find(deps: ApiDependencies, call: Call, delivery_id: DeliveryId) -> DeliveryDetail:
    detail = await deps.store.get_delivery(call.tenant_id, delivery_id)
    if detail is None:
        raise Refused(Problems.DELIVERY_NOT_FOUND, f"there is no delivery {delivery_id}")
    return detail


def _show_detail(detail: DeliveryDetail, public_url: str) -> DeliveryBody:
    return _show(detail.delivery, [_show_attempt(attempt) for attempt in detail.attempts], public_url)


def _show(delivery: DeliveryRecord, attempts: list[AttemptBody] | None, public_url: str) -> DeliveryBody:
    own = f"{public_url}/v1/deliveries/{delivery.id}"
    return DeliveryBody(
        id=delivery.id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        job_id=delivery.job_id,
        kind=delivery.kind,
        endpoint_id=delivery.endpoint_id,
        url=delivery.url,
        destination=delivery.destination,
        state=delivery.state,
        done=delivery.state in DELIVERY_DONE,
        tries=delivery.tries,
        created_at=delivery.created_at,
        next_attempt_at=delivery.next_attempt_at,
        waits_for=delivery.waits_for,
        finished_at=delivery.finished_at,
        attempts=attempts,
        links=DeliveryLinks(
            self=own,
            job=None if delivery.job_id is None else f"{public_url}/v1/jobs/{delivery.job_id}",
            redeliver=f"{own}/redeliver",
        ),
    )


def _show_attempt(attempt: DeliveryAttempt) -> AttemptBody:
    timing = attempt.timing
    return AttemptBody(
        attempt=attempt.attempt,
        started_at=attempt.started_at,
        duration=TimingBody(
            total_s=timing.total_s,
            dns_s=timing.dns_s,
            connect_s=timing.connect_s,
            tls_s=timing.tls_s,
            first_byte_s=timing.first_byte_s,
        ),
        verdict=attempt.verdict,
        reason=attempt.reason,
        status=attempt.status,
        remote_address=attempt.remote_address,
        response_prefix=attempt.response_prefix.decode("utf-8", "replace"),
        next_attempt_at=attempt.next_attempt_at,
    )
