"""Endpoints that fail for too long are disabled."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import Verdict, WaitReason
from ringback_schemas.endpoint_health import HealthRules
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.states import DeliveryState
from tests.conformance.store.ageing import changed
from tests.conformance.store.endpoint_traffic import (
    AT_ONCE,
    QUIET,
    WATCHES,
    endpoint_now,
    fail,
    health,
    sent_to,
    succeed,
    told_to,
)
from tests.conformance.store.making import attempted, registered

RETRYING = DeliveryState.RETRYING
LONG_AGO = datetime.now(UTC) - timedelta(hours=73)
NOT_SO_LONG_AGO = datetime.now(UTC) - timedelta(hours=71)


async def test_endpoint_that_fails_for_too_long_is_disabled(store: Store, owner: InstanceId, database_url: str) -> None:
    """Twenty failures in a row and 72 hours since the last success; what waits is parked, and it is told."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, 19)
    await changed(database_url, "endpoints", last_success_at=LONG_AGO)
    await told_to(store, owner, watcher)
    waiting = await sent_to(store, owner, endpoint)

    await store.record_attempts([attempted(waiting[0], RETRYING)])

    record = await endpoint_now(store, endpoint)
    assert (record.is_enabled, record.disabled_reason) == (False, DisabledReason.FAILING)
    parked = await store.get_delivery(DEFAULT_TENANT, waiting[0].delivery.id)
    assert parked is not None
    assert (parked.delivery.state, parked.delivery.waits_for) == (RETRYING, WaitReason.ENDPOINT_DISABLED)
    (body,) = await told_to(store, owner, watcher)
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

    assert (await endpoint_now(store, endpoint)).is_enabled


async def test_endpoint_that_never_went_well_counts_from_its_first_failure(
    store: Store, owner: InstanceId, database_url: str
) -> None:
    """There is no success to count from."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, 19)
    await changed(database_url, "endpoints", first_failure_at=LONG_AGO)

    await fail(store, owner, endpoint, 1)

    assert (await endpoint_now(store, endpoint)).disabled_reason is DisabledReason.FAILING


async def test_success_in_between_begins_the_count_anew(store: Store, owner: InstanceId) -> None:
    """The threshold less one, one success, and as many again: still enabled (BB-79)."""
    endpoint = await registered(store, QUIET)
    await fail(store, owner, endpoint, 5, AT_ONCE)
    await succeed(store, owner, endpoint)

    await fail(store, owner, endpoint, 5, AT_ONCE)

    assert (await endpoint_now(store, endpoint)).is_enabled
    await fail(store, owner, endpoint, 1, AT_ONCE)
    assert not (await endpoint_now(store, endpoint)).is_enabled


async def test_nothing_is_disabled_when_the_rules_say_never(store: Store, owner: InstanceId) -> None:
    """Zero failures mean none are too many."""
    endpoint = await registered(store, QUIET)

    await fail(store, owner, endpoint, 8, HealthRules(0, 0))

    assert (await endpoint_now(store, endpoint)).is_enabled


async def test_enabled_again_it_is_as_new(store: Store, owner: InstanceId) -> None:
    """What was parked is due, the failures are forgotten, and it is told once."""
    watcher, endpoint = await registered(store, WATCHES), await registered(store, QUIET)
    await fail(store, owner, endpoint, 6, AT_ONCE)
    await told_to(store, owner, watcher)

    for _ in range(2):
        await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert (await health(store, endpoint)).failures_in_row == 0
    claimed = await store.claim_due_deliveries(owner, 100)
    assert sum(one.delivery.endpoint_id == endpoint.id for one in claimed) == 6
    (body,) = [orjson.loads(one.body) for one in claimed if one.delivery.endpoint_id == watcher.id]
    assert (body["type"], body["data"]["disabled_reason"]) == ("endpoint.enabled", None)


@pytest.mark.parametrize("verdict", [Verdict.PROXY_FAILED, Verdict.UNSIGNED])
async def test_faults_of_ours_are_not_held_against_an_endpoint(
    store: Store, owner: InstanceId, verdict: Verdict
) -> None:
    """Its receiver has never heard of these attempts."""
    endpoint = await registered(store, QUIET)

    for sent in await sent_to(store, owner, endpoint, 8):
        await store.record_attempts([attempted(sent, RETRYING, 3600.0, verdict=verdict)], AT_ONCE)

    assert (await endpoint_now(store, endpoint)).is_enabled
    assert (await health(store, endpoint)).failures_in_row == 0
