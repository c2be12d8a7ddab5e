"""Endpoints that are changed while very many deliveries wait: what waits is brought along in steps."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_backends.sql import arranging, parking
from ringback_schemas.deliveries import DeliveryRecord, WaitReason
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId
from ringback_schemas.states import DeliveryState
from tests.conformance.store.lines import FIFO, order, turn
from tests.conformance.store.making import SETTINGS, registered, told

ELSEWHERE: dict[str, Any] = {"url": "http://other.example/hook", "destination": "http://other.example:80"}


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few are very many here."""
    monkeypatch.setattr(arranging, "MOST_AT_ONCE", 2)


async def one_step(store: Store) -> bool:
    """Go on, for two deliveries; False when there was nothing to do."""
    return await store.arrange_endpoint("", 2) is not None


async def arranged(store: Store) -> int:
    """Go on until nothing is left; how many steps that took."""
    steps = 0
    while await one_step(store):
        steps += 1
    return steps


async def looked_at(store: Store, ids: list[DeliveryId]) -> list[DeliveryRecord]:
    """The deliveries as they are now."""
    details = [await store.get_delivery(DEFAULT_TENANT, one) for one in ids]
    return [detail.delivery for detail in details if detail is not None]


async def test_change_with_few_waiting_is_done_at_once(store: Store, owner: InstanceId) -> None:
    """Nobody has to go on with it."""
    endpoint = await registered(store)
    (one,) = await told(store, owner, 1)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, replace(SETTINGS, **ELSEWHERE))

    assert [record.url for record in await looked_at(store, [one])] == [ELSEWHERE["url"]]
    assert await arranged(store) == 0


async def test_new_url_reaches_all_that_waits(store: Store, second_store: Store, owner: InstanceId) -> None:
    """The change takes the first step; whoever is there takes the others."""
    endpoint = await registered(store)
    ids = sorted(await told(store, owner, 5))

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, replace(SETTINGS, **ELSEWHERE))

    urls = [record.url for record in await looked_at(store, ids)]
    assert urls == [ELSEWHERE["url"]] * 2 + [SETTINGS.url] * 3
    assert await arranged(second_store) == 2
    records = await looked_at(store, ids)
    assert {(record.url, record.lane) for record in records} == {(ELSEWHERE["url"], ELSEWHERE["destination"])}


async def test_change_amid_steps_begins_again(store: Store, owner: InstanceId) -> None:
    """What was brought to where the endpoint was is brought to where it is."""
    endpoint = await registered(store)
    ids = await told(store, owner, 5)
    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, replace(SETTINGS, **ELSEWHERE))
    assert await one_step(store)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 2, replace(SETTINGS, max_in_flight=3))
    await arranged(store)

    lane = f"{SETTINGS.destination}#{endpoint.id}"
    assert {(record.url, record.lane) for record in await looked_at(store, ids)} == {(SETTINGS.url, lane)}


async def test_enabled_endpoint_gets_all_that_was_parked(store: Store, owner: InstanceId) -> None:
    """The first at once, the rest by the steps."""
    endpoint = await registered(store)
    ids = await told(store, owner, 5)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert len(await store.claim_due_deliveries(owner, 9)) == 2
    await arranged(store)
    assert len(await store.claim_due_deliveries(owner, 9)) == 3
    assert {record.state for record in await looked_at(store, ids)} == {DeliveryState.SENDING}


async def test_disabled_again_amid_steps_nothing_is_freed(store: Store, owner: InstanceId) -> None:
    """Each step asks what the endpoint says now."""
    endpoint = await registered(store)
    ids = await told(store, owner, 5)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    await arranged(store)

    assert {record.waits_for for record in await looked_at(store, ids)} == {WaitReason.ENDPOINT_DISABLED}
    assert await store.claim_due_deliveries(owner, 9) == []


async def test_line_stands_still_until_all_stand_in_it(store: Store, owner: InstanceId) -> None:
    """Then it gives them in the order of events, those that came meanwhile last."""
    endpoint = await registered(store)
    ids = await told(store, owner, 5)

    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, FIFO)

    assert lined is not None
    ids += await told(store, owner, 2)
    assert await store.claim_waiting(owner, [turn(lined)]) == []
    assert await arranged(store) > 1
    assert await order(store, owner, lined) == ids


async def test_enabled_line_keeps_its_order_over_steps(store: Store, owner: InstanceId) -> None:
    """Also when the endpoint is changed amid the steps."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 7)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    assert await one_step(store)

    moved = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, replace(FIFO, **ELSEWHERE))

    assert moved is not None
    await arranged(store)
    assert await order(store, owner, moved) == ids


async def test_endpoint_that_is_no_line_any_more_frees_all(store: Store, owner: InstanceId) -> None:
    """What no step came to yet waits for it: no claim hands it out."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 5)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, SETTINGS)

    found = [one.delivery.id for one in await store.claim_due_deliveries(owner, 9)]
    assert len(found) == 2
    await arranged(store)
    found += [one.delivery.id for one in await store.claim_due_deliveries(owner, 9)]
    assert sorted(found) == sorted(ids)


async def test_steps_taken_at_once_do_no_harm(store: Store, second_store: Store, owner: InstanceId) -> None:
    """Each is taken by one of two processes, or left for later: none looks twice at the same deliveries."""
    endpoint = await registered(store)
    ids = await told(store, owner, 9)
    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, replace(SETTINGS, **ELSEWHERE))

    steps = sum(await asyncio.gather(arranged(store), arranged(second_store))) + await arranged(store)

    assert steps == 4  # 2 at once, then 2 each, the last for the one that is left
    assert {record.url for record in await looked_at(store, ids)} == {ELSEWHERE["url"]}


async def test_deleted_endpoint_cancels_all_that_waits(
    store: Store, owner: InstanceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many steps that takes, before the endpoint is forgotten."""
    monkeypatch.setattr(parking, "MOST_PARKED", 2)
    endpoint = await registered(store)
    ids = await told(store, owner, 5)

    assert await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)

    assert {record.state for record in await looked_at(store, ids)} == {DeliveryState.CANCELLED}
    assert await store.get_endpoint(DEFAULT_TENANT, endpoint.id) is None
