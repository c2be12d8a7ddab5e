"""Handlers for replays: many deliveries sent again."""

from functools import partial

from aiohttp import web

from ringback.egress import UrlRefused, destination_of
from ringback_schemas.audit import AuditAction
from ringback_schemas.http import (
    ReplayBody,
    ReplayFilterBody,
    ReplayFilterRequest,
    ReplayLinks,
    ReplayPage,
    ReplayRequest,
    ReplaySkipsBody,
)
from ringback_schemas.ids import EndpointId, InvalidId, ReplayId, check_id, new_replay_id
from ringback_schemas.problems import Problems
from ringback_schemas.replays import MAX_OPEN_REPLAYS, NewReplay, ReplayFilter, ReplayRecord
from ringback_schemas.states import REPLAY_DONE, DeliveryState
from ringback_service.api.auditing import audit
from ringback_service.api.bodies import invalid, read_model
from ringback_service.api.calls import Call, model_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.paging import Place
from ringback_service.api.queries import PageQuery, read_query
from ringback_service.api.refusals import FieldError, Refused


async def create_replay(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Send all deliveries that a filter means again, in the background; or only count them.

    Each is sent as a redelivery sends it: same `webhook-id`, same bytes, a fresh schedule.
    """
    wanted = await read_model(call.request, ReplayRequest, deps.max_body_bytes)
    new = NewReplay(new_replay_id(), call.tenant_id, await _filter(deps, call, wanted.filter), wanted.dry_run)
    given = wanted.filter.model_dump_json(exclude_unset=True)
    await audit(deps, call, AuditAction.REPLAY_CREATED, new.id, filter=given, dry_run=str(wanted.dry_run).lower())
    record = await deps.store.create_replay(new)
    if record is None:
        detail = f"the tenant has {MAX_OPEN_REPLAYS} replays that are not done, which is as many as it may have"
        raise Refused(Problems.TOO_MANY_REPLAYS, detail)
    deps.on_replay()
    body = _show(record, deps.public_url)
    return model_answer(body, status=202, headers={"Location": body.links.self})


async def list_replays(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show the tenant's replays, newest first."""
    place = Place.of(call, "rpl", ReplayId, read_query(call.request, PageQuery).limit)
    page = await place.page(partial(deps.store.list_replays, call.tenant_id), deps.public_url)
    items = [_show(row, deps.public_url) for row in page.rows]
    return model_answer(ReplayPage(items=items, next=page.next_url), headers=page.headers)


async def get_replay(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show a replay: how far it has come, and what came of it."""
    replay_id = _id_in_path(call)
    return _answer(deps, replay_id, await deps.store.get_replay(call.tenant_id, replay_id))


async def cancel_replay(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Stop a replay where it is: what it made due is sent, the rest stays as it was. Safe to repeat."""
    replay_id = _id_in_path(call)
    if await deps.store.get_replay(call.tenant_id, replay_id) is None:
        raise _unknown(replay_id)
    await audit(deps, call, AuditAction.REPLAY_CANCELLED, replay_id)
    return _answer(deps, replay_id, await deps.store.cancel_replay(call.tenant_id, replay_id))


async def _filter(deps: ApiDependencies, call: Call, wanted: ReplayFilterRequest) -> ReplayFilter:
    endpoint_id = None if wanted.endpoint_id is None else await _known_endpoint(deps, call, wanted.endpoint_id)
    return ReplayFilter(
        states=tuple(DeliveryState(state) for state in dict.fromkeys(wanted.states)),
        event_types=tuple(wanted.events),
        endpoint_id=endpoint_id,
        url=wanted.url,
        destination=None if wanted.destination is None else _destination(wanted.destination),
        created_after=wanted.created_after,
        created_before=wanted.created_before,
    )


async def _known_endpoint(deps: ApiDependencies, call: Call, text: str) -> EndpointId:
    """The id of an endpoint that the tenant has.

    Raises:
        Refused: it has none with this id: most likely a typing error, and nothing would be sent to one that is gone.
    """
    try:
        endpoint_id = EndpointId(check_id("end", text))
    except InvalidId as error:
        raise _wrong("endpoint_id", "endpoint_id_invalid", str(error)) from error
    if await deps.store.get_endpoint(call.tenant_id, endpoint_id) is None:
        raise _wrong("endpoint_id", "endpoint_unknown", f"there is no endpoint {endpoint_id}")
    return endpoint_id


def _destination(text: str) -> str:
    """As deliveries have it: with its port. Whether anything may be sent there is not asked here."""
    try:
        return destination_of(text)
    except UrlRefused as error:
        raise _wrong("destination", f"url_{error.reason_code.value}", error.sentence) from error


def _wrong(name: str, code: str, detail: str) -> Refused:
    return invalid([FieldError(code=code, detail=detail, pointer=f"/filter/{name}")])


def _id_in_path(call: Call) -> ReplayId:
    return ReplayId(call.id_in_path("rpl", Problems.REPLAY_NOT_FOUND))


def _unknown(replay_id: ReplayId) -> Refused:
    return Refused(Problems.REPLAY_NOT_FOUND, f"there is no replay {replay_id}")


def _answer(deps: ApiDependencies, replay_id: ReplayId, record: ReplayRecord | None) -> web.StreamResponse:
    if record is None:
        raise _unknown(replay_id)
    return model_answer(_show(record, deps.public_url))


def _show(replay: ReplayRecord, public_url: str) -> ReplayBody:
    own, wanted, skipped = f"{public_url}/v1/replays/{replay.id}", replay.filter, replay.skipped
    return ReplayBody(
        id=replay.id,
        filter=ReplayFilterBody(
            states=[state.value for state in wanted.states],
            events=list(wanted.event_types),
            endpoint_id=wanted.endpoint_id,
            url=wanted.url,
            destination=wanted.destination,
            created_after=wanted.created_after,
            created_before=wanted.created_before,
        ),
        dry_run=replay.is_dry_run,
        state=replay.state,
        done=replay.state in REPLAY_DONE,
        counted=replay.is_counted,
        matched=replay.matched,
        redelivered=replay.redelivered,
        skipped=ReplaySkipsBody(
            changed=skipped.changed,
            endpoint_disabled=skipped.endpoint_disabled,
            endpoint_gone=skipped.endpoint_gone,
        ),
        created_at=replay.created_at,
        started_at=replay.started_at,
        finished_at=replay.finished_at,
        links=ReplayLinks(self=own, cancel=f"{own}/cancel"),
    )
