"""Attempts at an endpoint that fail, one after the other: what is counted."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import DisabledReason, EndpointHealth
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.states import DeliveryState
from tests.conformance.store.endpoint_traffic import QUIET, health, sent_to
from tests.conformance.store.making import attempted, registered

RETRYING = DeliveryState.RETRYING


async def test_failures_are_counted_in_a_row(store: Store, owner: InstanceId) -> None:
    """Each failed attempt counts, whichever delivery it is of; the row has a beginning."""
    endpoint = await registered(store, QUIET)
    one, two, three = await sent_to(store, owner, endpoint, 3)

    await store.record_attempts([attempted(one, RETRYING), attempted(two, DeliveryState.EXHAUSTED)])
    first = await health(store, endpoint)
    await store.record_attempts([attempted(three, RETRYING)])

    assert (first.failures_in_row, first.last_success_at) == (2, None)
    assert first.first_failure_at is not None
    assert abs(first.first_failure_at - datetime.now(UTC)) < timedelta(seconds=10)
    assert await health(store, endpoint) == replace(first, failures_in_row=3)


async def test_success_ends_the_row(store: Store, owner: InstanceId) -> None:
    """One success is enough, and is noted with its time."""
    endpoint = await registered(store, QUIET)
    one, two = await sent_to(store, owner, endpoint, 2)
    await store.record_attempts([attempted(one, RETRYING)])

    await store.record_attempts([attempted(two)])

    now = await health(store, endpoint)
    assert (now.failures_in_row, now.first_failure_at) == (0, None)
    assert now.last_success_at is not None


async def test_row_is_counted_in_the_order_of_a_call(store: Store, owner: InstanceId) -> None:
    """Of attempts that are recorded together only those after the last success are in the row."""
    endpoint = await registered(store, QUIET)
    claimed = await sent_to(store, owner, endpoint, 4)
    states = [RETRYING, DeliveryState.DELIVERED, RETRYING, DeliveryState.EXHAUSTED]

    await store.record_attempts([attempted(one, state) for one, state in zip(claimed, states, strict=True)])

    now = await health(store, endpoint)
    assert now.failures_in_row == 2
    assert now.last_success_at is not None
    assert now.first_failure_at is not None


async def test_attempts_of_many_endpoints_are_counted_apart(
    store: Store, second_store: Store, owner: InstanceId
) -> None:
    """In one call, and in several at once in other orders: none is lost and none deadlocks."""
    endpoints = [await registered(store, QUIET) for _ in range(4)]
    claimed = [await sent_to(store, owner, endpoint, 10) for endpoint in endpoints]
    rounds = [[attempted(of_one[number], RETRYING) for of_one in claimed] for number in range(10)]

    await asyncio.gather(
        *(
            (store if number % 2 else second_store).record_attempts(outcomes[:: 1 if number % 2 else -1])
            for number, outcomes in enumerate(rounds)
        )
    )

    assert [(await health(store, endpoint)).failures_in_row for endpoint in endpoints] == [10] * 4


async def test_enabling_forgets_the_row(store: Store, owner: InstanceId) -> None:
    """Whoever enables an endpoint gives it a new chance."""
    endpoint = await registered(store, QUIET)
    (claimed,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(claimed, RETRYING, verdict=Verdict.TIMEOUT)])
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.FAILING)

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await health(store, endpoint) == EndpointHealth()
