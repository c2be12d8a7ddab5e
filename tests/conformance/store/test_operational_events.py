"""What happens to endpoints and deliveries is told to those who ask."""

from dataclasses import replace
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, NewDelivery, Verdict
from ringback_schemas.endpoint_health import FAILING_AFTER
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.http.operational import DeliveryExhaustedBody, EndpointEventBody
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.states import DeliveryState
from tests.conformance.store.ageing import count
from tests.conformance.store.endpoint_traffic import (
    AT_ONCE,
    QUIET,
    WATCHES,
    fail,
    health,
    sent_to,
    succeed,
    told_to,
    types_told_to,
)
from tests.conformance.store.making import (
    DESTINATION,
    OTHER_TENANT,
    SETTINGS,
    URL,
    attempted,
    ended,
    event,
    registered,
    running,
    sending,
)

RETRYING, EXHAUSTED = DeliveryState.RETRYING, DeliveryState.EXHAUSTED


async def test_failing_is_told_once_in_a_row(store: Store, owner: InstanceId) -> None:
    """After the fourth failure, and not after the others, to those that subscribe."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, FAILING_AFTER - 1)
    assert await told_to(store, owner, watcher) == []

    await fail(store, owner, endpoint, FAILING_AFTER)

    (body,) = await told_to(store, owner, watcher)
    parsed = EndpointEventBody.model_validate(body)
    assert (parsed.type, parsed.data.endpoint_id, parsed.data.failures_in_row) == ("endpoint.failing", endpoint.id, 4)
    assert parsed.data.first_failure_at is not None
    assert set(body["data"]) == set(type(parsed.data).model_fields)


async def test_recovery_is_told_of_what_was_told_to_fail(store: Store, owner: InstanceId) -> None:
    """The first success after it, and no other; a shorter row of failures is nobody's concern."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, FAILING_AFTER - 1)
    await succeed(store, owner, endpoint)
    await fail(store, owner, endpoint, FAILING_AFTER)
    assert await types_told_to(store, owner, watcher) == ["endpoint.failing"]

    await succeed(store, owner, endpoint)
    await succeed(store, owner, endpoint)

    assert await types_told_to(store, owner, watcher) == ["endpoint.recovered"]


async def test_attempts_of_one_call_turn_an_endpoint_too(store: Store, owner: InstanceId) -> None:
    """However they are mixed with others."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    steady = await registered(store, QUIET)
    failed = [attempted(one, RETRYING, 3600.0) for one in await sent_to(store, owner, endpoint, 5)]
    fine = [attempted(one) for one in await sent_to(store, owner, steady, 2)]
    callback = attempted(await sending(store, owner))
    stranger = replace(callback, attempt=replace(callback.attempt, attempt=99))

    answers = await store.record_attempts([failed[0], fine[0], stranger, *failed[1:], callback, fine[1]])

    assert answers == [True, True, False, *[True] * 4, True, True]
    assert (await health(store, endpoint)).failures_in_row == 5
    assert (await health(store, steady)).failures_in_row == 0
    assert await types_told_to(store, owner, watcher) == ["endpoint.failing"]


@pytest.mark.parametrize("reason", [DisabledReason.REQUESTED, DisabledReason.GONE])
async def test_every_way_to_be_disabled_is_told_once(store: Store, owner: InstanceId, reason: DisabledReason) -> None:
    """With its reason; what changes nothing is not told."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, reason, only_at="http://elsewhere.example/")
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, reason)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert [body["data"]["disabled_reason"] for body in await told_to(store, owner, watcher)] == [reason.value]


async def test_exhausted_delivery_is_told(store: Store, owner: InstanceId) -> None:
    """Of a callback and of an endpoint, with what became of the last attempt."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    callback = await sending(store, owner)
    (other,) = await sent_to(store, owner, endpoint)

    await store.record_attempts(
        [attempted(callback, EXHAUSTED, verdict=Verdict.GONE, status=410), attempted(other, EXHAUSTED)]
    )

    first, second = (DeliveryExhaustedBody.model_validate(body).data for body in await told_to(store, owner, watcher))
    assert {first.delivery_id, second.delivery_id} == {callback.delivery.id, other.delivery.id}
    of_callback = first if first.delivery_id == callback.delivery.id else second
    assert (of_callback.job_id, of_callback.endpoint_id) == (callback.delivery.job_id, None)
    assert (of_callback.verdict, of_callback.status, of_callback.attempts) == (Verdict.GONE, 410, 1)
    assert {first.endpoint_id, second.endpoint_id} == {None, endpoint.id}


async def test_event_is_stored_when_nobody_subscribes(store: Store, owner: InstanceId, database_url: str) -> None:
    """Whoever reads the feed learns of it."""
    before = await count(database_url, "events")

    await store.record_attempts([attempted(await sending(store, owner), EXHAUSTED)])

    assert await count(database_url, "events") == before + 2
    assert await store.claim_due_deliveries(owner, 5) == []


@pytest.mark.parametrize(
    ("event_filter", "is_told"),
    [((), False), (("*",), False), (("job.*",), False), (("*", "endpoint.*"), True), (("endpoint.disabled",), True)],
)
async def test_only_those_who_ask_by_name_are_told(
    store: Store, owner: InstanceId, event_filter: tuple[str, ...], *, is_told: bool
) -> None:
    """A receiver of all that happens to jobs need not know other events."""
    receiver = await registered(store, replace(SETTINGS, event_filter=event_filter))
    endpoint = await registered(store, QUIET)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert (await types_told_to(store, owner, receiver) == ["endpoint.disabled"]) is is_told


async def test_endpoint_is_not_told_about_itself(store: Store, owner: InstanceId) -> None:
    """Nor is another tenant's, nor one that is disabled."""
    endpoint, away = await registered(store, WATCHES), await registered(store, WATCHES)
    await registered(store, WATCHES, tenant_id=OTHER_TENANT)
    await store.disable_endpoint(DEFAULT_TENANT, away.id, DisabledReason.REQUESTED)
    await told_to(store, owner, endpoint)

    await fail(store, owner, endpoint, FAILING_AFTER)
    (sent,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(sent, EXHAUSTED)])
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await types_told_to(store, owner, endpoint) == []
    assert await store.list_deliveries(OTHER_TENANT, [], None, 5) == []


async def test_operational_events_make_no_further_ones(store: Store, owner: InstanceId, database_url: str) -> None:
    """Whatever becomes of their deliveries, it counts neither for nor against their endpoint, and is told to nobody."""
    first, second = await registered(store, WATCHES), await registered(store, WATCHES)
    noisy = await registered(store, QUIET)
    await fail(store, owner, second, 1)
    for _ in range(FAILING_AFTER):
        await store.disable_endpoint(DEFAULT_TENANT, noisy.id, DisabledReason.REQUESTED)
        await store.enable_endpoint(DEFAULT_TENANT, noisy.id)
    claimed = await store.claim_due_deliveries(owner, 100)
    before = await count(database_url, "events")

    await store.record_attempts([_of_an_operational(one, first.id) for one in claimed], AT_ONCE)

    assert len(claimed) == 4 * FAILING_AFTER
    assert await count(database_url, "events") == before
    assert (await health(store, first)).failures_in_row == 0
    assert (await health(store, second)).failures_in_row == 1
    assert (await health(store, second)).last_success_at is None


def _of_an_operational(claimed: ClaimedDelivery, failing_id: str) -> Any:
    state = EXHAUSTED if claimed.delivery.endpoint_id == failing_id else DeliveryState.DELIVERED
    return replace(attempted(claimed, state), is_operational=True)


async def test_what_is_told_goes_with_the_record(store: Store, owner: InstanceId, database_url: str) -> None:
    """An attempt that is fenced turns nothing and is told to nobody."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, FAILING_AFTER - 1)
    (sent,) = await sent_to(store, owner, endpoint)
    before = await count(database_url, "events")
    late = replace(attempted(sent, EXHAUSTED), owner=InstanceId("ins_somebody_else"))

    assert await store.record_attempts([late]) == [False]

    assert await count(database_url, "events") == before
    assert (await health(store, endpoint)).failures_in_row == FAILING_AFTER - 1


async def test_exhausted_twice_in_one_call_is_told_once(store: Store, owner: InstanceId, database_url: str) -> None:
    """The first is recorded, the second is late."""
    claimed = await running(store, owner)
    new = NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, URL, DESTINATION)
    await store.finish_jobs([ended(claimed, event=replace(event(claimed.job.id), deliveries=(new,)))])
    (sent,) = await store.claim_deliveries(owner, [DeliveryId(new.id)], 1)
    outcome = attempted(sent, EXHAUSTED)

    assert await store.record_attempts([outcome, outcome]) == [True, False]

    assert await count(database_url, "events") == 2
