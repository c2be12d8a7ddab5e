"""What endpoints and their deliveries mean for each other."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.store import Store
from ringback_backends.sql import parking
from ringback_schemas.deliveries import DeliveryKind, NewDelivery, WaitReason
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_delivery_id
from ringback_schemas.lanes import LaneRoom, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState
from tests.conformance.store.endpoint_traffic import QUIET, made_for, sent_to
from tests.conformance.store.making import DESTINATION, URL, attempted, delivery_now, delivery_ref, event, registered

RETRYING = DeliveryState.RETRYING


async def test_claim_says_whose_delivery_it_is(store: Store, owner: InstanceId) -> None:
    """Whoever sends it needs the endpoint."""
    endpoint = await registered(store, QUIET)

    (claimed,) = await sent_to(store, owner, endpoint)

    assert (claimed.delivery.kind, claimed.delivery.endpoint_id) == (DeliveryKind.ENDPOINT, endpoint.id)


async def test_event_of_no_job_goes_to_whom_it_names(store: Store, owner: InstanceId) -> None:
    """And to nobody else: it is not fanned out. Its delivery is due at once and is listed like any."""
    endpoint, _ = await registered(store, QUIET), await registered(store)
    new = NewDelivery(new_delivery_id(), DeliveryKind.ENDPOINT, URL, DESTINATION, endpoint.id)
    told = replace(event(None), type="endpoint.test", deliveries=(new,))

    await store.add_event(told)

    (claimed,) = await store.claim_due_deliveries(owner, 5)
    assert (claimed.delivery.id, claimed.delivery.job_id, claimed.body) == (new.id, None, told.body)
    assert abs(claimed.job_created_at - datetime.now(UTC)) < timedelta(seconds=5)
    (listed,) = await store.list_deliveries(DEFAULT_TENANT, [], None, 5)
    assert (listed.id, listed.job_id, listed.event_type) == (new.id, None, "endpoint.test")
    with pytest.raises(RowRefused):
        await store.add_event(told)


async def test_disabled_endpoint_parks_what_waits(store: Store, owner: InstanceId) -> None:
    """Fresh ones and retries stay, visibly, and no claim finds them."""
    endpoint = await registered(store, QUIET)
    (failed,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(failed, RETRYING)])
    (fresh,) = await made_for(store, owner, endpoint)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    for delivery_id, state in ((failed.delivery.id, RETRYING), (fresh, DeliveryState.PENDING)):
        parked = await delivery_now(store, delivery_id)
        assert (parked.state, parked.next_attempt_at) == (state, None)
        assert parked.waits_for is WaitReason.ENDPOINT_DISABLED
    assert await store.claim_deliveries(owner, [fresh, failed.delivery.id], 5) == []
    assert await store.claim_due_deliveries(owner, 5) == []
    assert (await store.tally()).deliveries_due == 0


async def test_disabled_endpoint_parks_the_rest_when_its_turn_comes(
    store: Store, owner: InstanceId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Very many are not parked at once; those that are claimed meanwhile are withheld, and come back with the rest."""
    monkeypatch.setattr(parking, "MOST_PARKED", 2)
    endpoint = await registered(store, QUIET)
    ids = await made_for(store, owner, endpoint, 3)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    (claimed,) = await store.claim_due_deliveries(owner, 5)
    await store.withhold_deliveries(owner, [delivery_ref(claimed)])

    assert [(await delivery_now(store, one)).next_attempt_at for one in ids] == [None] * 3
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    assert {one.delivery.id for one in await store.claim_due_deliveries(owner, 5)} == set(ids)


async def test_disabled_endpoint_parks_what_its_lane_holds_back(store: Store, owner: InstanceId) -> None:
    """What was set aside for its destination is not handed out either."""
    endpoint = await registered(store, QUIET)
    await made_for(store, owner, endpoint)
    shut = LaneRooms(others=5, named=[LaneRoom(DESTINATION, 0, WaitReason.CIRCUIT)])
    await store.claim_due_in_lanes(owner, 5, shut)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert await store.claim_waiting(owner, [LaneTurn(DESTINATION, 5, 1)]) == []
    assert await store.waiting_lanes("", 5) == []
    assert (await store.claim_due_in_lanes(owner, 5, LaneRooms(others=5))).claimed == []


async def test_enabled_endpoint_goes_on_with_its_schedule(store: Store, owner: InstanceId) -> None:
    """What was parked is due at once, with the tries that it had."""
    endpoint = await registered(store, QUIET)
    (failed,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(failed, RETRYING, retry_in_s=600)])
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    (again,) = await store.claim_due_deliveries(owner, 5)
    assert (again.delivery.id, again.delivery.attempt, again.delivery.tries) == (failed.delivery.id, 2, 1)


async def test_enabling_an_enabled_endpoint_hurries_nothing(store: Store, owner: InstanceId) -> None:
    """A retry keeps its time."""
    endpoint = await registered(store, QUIET)
    (failed,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(failed, RETRYING, retry_in_s=600)])

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await store.claim_due_deliveries(owner, 5) == []


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.EXHAUSTED])
async def test_attempt_in_flight_ends_as_it_ends(store: Store, owner: InstanceId, state: DeliveryState) -> None:
    """Disabling does not touch what is being sent."""
    endpoint = await registered(store, QUIET)
    (claimed,) = await sent_to(store, owner, endpoint)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    assert (await delivery_now(store, claimed.delivery.id)).state is DeliveryState.SENDING

    assert await store.record_attempts([attempted(claimed, state)]) == [True]

    assert (await delivery_now(store, claimed.delivery.id)).state is state


async def test_retry_of_a_disabled_endpoint_is_parked(store: Store, owner: InstanceId) -> None:
    """An attempt that was in flight when the endpoint was disabled fails: the next one waits for the endpoint."""
    endpoint = await registered(store, QUIET)
    (claimed,) = await sent_to(store, owner, endpoint)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert await store.record_attempts([attempted(claimed, RETRYING)]) == [True]

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert (detail.delivery.state, detail.delivery.next_attempt_at, detail.delivery.tries) == (RETRYING, None, 1)
    assert [one.next_attempt_at for one in detail.attempts] == [None]


async def test_deleted_endpoint_cancels_what_waits(store: Store, owner: InstanceId) -> None:
    """Fresh ones, retries and parked ones; what is done stays as it is."""
    endpoint = await registered(store, QUIET)
    done, failed = await sent_to(store, owner, endpoint, 2)
    await store.record_attempts([attempted(done), attempted(failed, RETRYING)])
    (fresh,) = await made_for(store, owner, endpoint)

    await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)

    states = [(await delivery_now(store, one)).state for one in (done.delivery.id, failed.delivery.id, fresh)]
    assert states == [DeliveryState.DELIVERED, DeliveryState.CANCELLED, DeliveryState.CANCELLED]
    ended_one = await delivery_now(store, fresh)
    assert ended_one.finished_at is not None
    assert (ended_one.next_attempt_at, ended_one.waits_for) == (None, None)


async def test_retry_of_a_deleted_endpoint_is_cancelled(store: Store, owner: InstanceId) -> None:
    """An attempt that was in flight is recorded, and no other follows."""
    endpoint = await registered(store, QUIET)
    (claimed,) = await sent_to(store, owner, endpoint)
    await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await store.record_attempts([attempted(claimed, RETRYING)]) == [True]

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert (detail.delivery.state, len(detail.attempts)) == (DeliveryState.CANCELLED, 1)
    assert detail.delivery.finished_at is not None


async def test_no_retry_slips_past_a_change_at_the_same_time(
    store: Store, second_store: Store, owner: InstanceId
) -> None:
    """Attempts are recorded while the endpoint is disabled and deleted: in the end nothing is left to be sent."""
    endpoint = await registered(store, QUIET)
    claimed = await sent_to(store, owner, endpoint, 40)

    await asyncio.gather(
        *(store.record_attempts([attempted(one, RETRYING)]) for one in claimed),
        second_store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED),
    )
    assert await store.claim_due_deliveries(owner, 50) == []
    await second_store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    again = await store.claim_due_deliveries(owner, 50)
    assert len(again) == 40

    await asyncio.gather(
        *(store.record_attempts([attempted(one, RETRYING)]) for one in again),
        second_store.delete_endpoint(DEFAULT_TENANT, endpoint.id),
    )

    states = {(await delivery_now(store, one.delivery.id)).state for one in claimed}
    assert states == {DeliveryState.CANCELLED}


async def test_waiting_deliveries_go_to_the_new_url(store: Store, owner: InstanceId) -> None:
    """A receiver that moved gets what it missed where it is now, what was being sent too."""
    endpoint = await registered(store, QUIET)
    (flying,) = await sent_to(store, owner, endpoint)
    (waiting,) = await made_for(store, owner, endpoint)
    moved = replace(QUIET, url="http://new.example/hook", destination="http://new.example:80")

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, moved)
    await store.record_attempts([attempted(flying, RETRYING)])

    assert (await delivery_now(store, waiting)).url == moved.url
    for delivery_id in (waiting, flying.delivery.id):
        assert (await delivery_now(store, delivery_id)).destination == moved.destination


async def test_redelivery_needs_an_enabled_endpoint(store: Store, owner: InstanceId) -> None:
    """To a disabled or deleted one nothing is sent again; the delivery is returned as it is."""
    endpoint = await registered(store, QUIET)
    (claimed,) = await sent_to(store, owner, endpoint)
    await store.record_attempts([attempted(claimed)])
    before = await delivery_now(store, claimed.delivery.id)

    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    assert await store.redeliver(DEFAULT_TENANT, before.id) == before
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    again = await store.redeliver(DEFAULT_TENANT, before.id)
    assert again is not None
    assert again.state is DeliveryState.PENDING
    (claimed,) = await store.claim_deliveries(owner, [before.id], 1)
    await store.record_attempts([attempted(claimed)])
    await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)
    last = await store.redeliver(DEFAULT_TENANT, before.id)
    assert last is not None
    assert last.state is DeliveryState.DELIVERED


async def test_withheld_delivery_becomes_what_its_endpoint_says(store: Store, owner: InstanceId) -> None:
    """Parked, cancelled or due at once; no attempt is recorded, and others' are left alone."""
    stopped, gone, open_one = [await registered(store, QUIET) for _ in range(3)]
    claimed = [(await sent_to(store, owner, endpoint))[0] for endpoint in (stopped, gone, open_one)]
    await store.disable_endpoint(DEFAULT_TENANT, stopped.id, DisabledReason.REQUESTED)
    await store.delete_endpoint(DEFAULT_TENANT, gone.id)
    late = replace(delivery_ref(claimed[0]), attempt=7)

    answers = await store.withhold_deliveries(
        owner, [delivery_ref(claimed[2]), late, delivery_ref(claimed[1]), delivery_ref(claimed[0])]
    )

    assert answers == [True, False, True, True]
    parked, cancelled, due = [await delivery_now(store, one.delivery.id) for one in claimed]
    assert (parked.state, parked.waits_for) == (DeliveryState.PENDING, WaitReason.ENDPOINT_DISABLED)
    assert (cancelled.state, cancelled.finished_at is not None) == (DeliveryState.CANCELLED, True)
    assert (due.state, due.tries, due.owner) == (DeliveryState.PENDING, 0, None)
    (again,) = await store.claim_due_deliveries(owner, 5)
    assert again.delivery.id == due.id
    assert await store.withhold_deliveries(owner, [delivery_ref(claimed[0])]) == [False]
