"""Endpoints that fail for too long are disabled; what happens to them is told to those who ask."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, NewDelivery, Verdict, WaitReason
from ringback_schemas.endpoint_health import FAILING_AFTER, HealthRules
from ringback_schemas.endpoints import DisabledReason, EndpointRecord
from ringback_schemas.http.operational import DeliveryExhaustedBody, EndpointEventBody
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.states import DeliveryState
from tests.conformance.store.ageing import changed, count
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
from tests.conformance.store.test_endpoint_deliveries import QUIET, health, sent_to

RETRYING, EXHAUSTED = DeliveryState.RETRYING, DeliveryState.EXHAUSTED
WATCHES = replace(SETTINGS, event_filter=("endpoint.*", "delivery.exhausted"))
RULES = HealthRules()
"""Twenty failures in a row, for 72 hours."""
AT_ONCE = HealthRules(disable_after_failures=6, disable_after_s=0)
LONG_AGO = datetime.now(UTC) - timedelta(hours=73)
NOT_SO_LONG_AGO = datetime.now(UTC) - timedelta(hours=71)


async def fail(
    store: Store, owner: InstanceId, endpoint: EndpointRecord, times: int, rules: HealthRules = RULES
) -> None:
    """So many attempts at an endpoint fail, each by itself."""
    for sent in await sent_to(store, owner, endpoint, times):
        assert await store.record_attempts([attempted(sent, RETRYING, 3600.0)], rules) == [True]


async def succeed(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> None:
    """An attempt goes well."""
    (sent,) = await sent_to(store, owner, endpoint)
    assert await store.record_attempts([attempted(sent)]) == [True]


async def told(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[Any]:
    """The operational events that wait for an endpoint, oldest first; they are claimed."""
    claimed = await store.claim_due_deliveries(owner, 100)
    mine = sorted((one for one in claimed if one.delivery.endpoint_id == endpoint.id), key=lambda one: one.delivery.id)
    return [orjson.loads(one.body) for one in mine if one.delivery.job_id is None]


async def types(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[str]:
    """Their types."""
    return [body["type"] for body in await told(store, owner, endpoint)]


async def now_of(store: Store, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as it is now."""
    record = await store.get_endpoint(endpoint.tenant_id, endpoint.id)
    assert record is not None
    return record


async def test_failing_is_told_once_in_a_row(store: Store, owner: InstanceId) -> None:
    """After the fourth failure, and not after the others, to those that subscribe."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, FAILING_AFTER - 1)
    assert await told(store, owner, watcher) == []

    await fail(store, owner, endpoint, FAILING_AFTER)

    (body,) = await told(store, owner, watcher)
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
    assert await types(store, owner, watcher) == ["endpoint.failing"]

    await succeed(store, owner, endpoint)
    await succeed(store, owner, endpoint)

    assert await types(store, owner, watcher) == ["endpoint.recovered"]


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
    assert await types(store, owner, watcher) == ["endpoint.failing"]


async def test_endpoint_that_fails_for_too_long_is_disabled(store: Store, owner: InstanceId, database_url: str) -> None:
    """Twenty failures in a row and 72 hours since the last success; what waits is parked, and it is told."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, 19)
    await changed(database_url, "endpoints", last_success_at=LONG_AGO)
    await told(store, owner, watcher)
    waiting = await sent_to(store, owner, endpoint)

    await store.record_attempts([attempted(waiting[0], RETRYING)])

    record = await now_of(store, endpoint)
    assert (record.is_enabled, record.disabled_reason) == (False, DisabledReason.FAILING)
    parked = await store.get_delivery(DEFAULT_TENANT, waiting[0].delivery.id)
    assert parked is not None
    assert (parked.delivery.state, parked.delivery.waits_for) == (RETRYING, WaitReason.ENDPOINT_DISABLED)
    (body,) = await told(store, owner, watcher)
    assert (body["type"], body["data"]["disabled_reason"]) == ("endpoint.disabled", "failing")
    assert body["data"]["failures_in_row"] == 20


@pytest.mark.parametrize(
    ("failures", "times"),
    [
        (18, {"last_success_at": LONG_AGO}),
        (19, {"last_success_at": NOT_SO_LONG_AGO}),
        (19, {"first_failure_at": NOT_SO_LONG_AGO}),
        (19, {"last_success_at": LONG_AGO, "enabled_at": NOT_SO_LONG_AGO}),
    ],
    ids=["failed too seldom", "went well lately", "new", "has another chance"],
)
async def test_endpoint_is_not_disabled_before(
    store: Store, owner: InstanceId, database_url: str, failures: int, times: dict[str, datetime]
) -> None:
    """One condition alone does nothing."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, failures)
    await changed(database_url, "endpoints", **times)

    await fail(store, owner, endpoint, 1)

    assert (await now_of(store, endpoint)).is_enabled


async def test_endpoint_that_never_went_well_counts_from_its_first_failure(
    store: Store, owner: InstanceId, database_url: str
) -> None:
    """There is no success to count from."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, 19)
    await changed(database_url, "endpoints", first_failure_at=LONG_AGO)

    await fail(store, owner, endpoint, 1)

    assert (await now_of(store, endpoint)).disabled_reason is DisabledReason.FAILING


async def test_success_in_between_begins_the_count_anew(store: Store, owner: InstanceId) -> None:
    """The threshold less one, one success, and as many again: still enabled (BB-79)."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, 5, AT_ONCE)
    await succeed(store, owner, endpoint)

    await fail(store, owner, endpoint, 5, AT_ONCE)

    assert (await now_of(store, endpoint)).is_enabled
    await fail(store, owner, endpoint, 1, AT_ONCE)
    assert not (await now_of(store, endpoint)).is_enabled


async def test_nothing_is_disabled_when_the_rules_say_never(store: Store, owner: InstanceId) -> None:
    """Zero failures mean none are too many."""
    endpoint = await registered(store, QUIET)

    await fail(store, owner, endpoint, 8, HealthRules(0, 0))

    assert (await now_of(store, endpoint)).is_enabled


async def test_enabled_again_it_is_as_new(store: Store, owner: InstanceId) -> None:
    """What was parked is due, the failures are forgotten, and it is told once."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, 6, AT_ONCE)
    await told(store, owner, watcher)

    for _ in range(2):
        await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert (await health(store, endpoint)).failures_in_row == 0
    claimed = await store.claim_due_deliveries(owner, 100)
    assert sum(one.delivery.endpoint_id == endpoint.id for one in claimed) == 6
    (body,) = [orjson.loads(one.body) for one in claimed if one.delivery.endpoint_id == watcher.id]
    assert (body["type"], body["data"]["disabled_reason"]) == ("endpoint.enabled", None)


@pytest.mark.parametrize("reason", [DisabledReason.REQUESTED, DisabledReason.GONE])
async def test_every_way_to_be_disabled_is_told_once(store: Store, owner: InstanceId, reason: DisabledReason) -> None:
    """With its reason; what changes nothing is not told."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, reason, only_at="http://elsewhere.example/")
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, reason)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert [body["data"]["disabled_reason"] for body in await told(store, owner, watcher)] == [reason.value]


async def test_exhausted_delivery_is_told(store: Store, owner: InstanceId) -> None:
    """Of a callback and of an endpoint, with what became of the last attempt."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    callback = await sending(store, owner)
    (other,) = await sent_to(store, owner, endpoint)

    await store.record_attempts(
        [attempted(callback, EXHAUSTED, verdict=Verdict.GONE, status=410), attempted(other, EXHAUSTED)]
    )

    first, second = (DeliveryExhaustedBody.model_validate(body).data for body in await told(store, owner, watcher))
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

    assert (await types(store, owner, receiver) == ["endpoint.disabled"]) is is_told


async def test_endpoint_is_not_told_about_itself(store: Store, owner: InstanceId) -> None:
    """Nor is another tenant's, nor one that is disabled."""
    endpoint, away = await registered(store, WATCHES), await registered(store, WATCHES)
    await registered(store, WATCHES, tenant_id=OTHER_TENANT)
    await store.disable_endpoint(DEFAULT_TENANT, away.id, DisabledReason.REQUESTED)
    await told(store, owner, endpoint)

    await fail(store, owner, endpoint, FAILING_AFTER)
    (sent,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(sent, EXHAUSTED)])
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await types(store, owner, endpoint) == []
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


@pytest.mark.parametrize("verdict", [Verdict.PROXY_FAILED, Verdict.UNSIGNED])
async def test_faults_of_ours_are_not_held_against_an_endpoint(
    store: Store, owner: InstanceId, verdict: Verdict
) -> None:
    """Its receiver has never heard of these attempts."""
    endpoint = await registered(store, QUIET)

    for sent in await sent_to(store, owner, endpoint, 8):
        await store.record_attempts([attempted(sent, RETRYING, 3600.0, verdict=verdict)], AT_ONCE)

    assert (await now_of(store, endpoint)).is_enabled
    assert (await health(store, endpoint)).failures_in_row == 0


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
