"""Endpoints that take one delivery at a time: what a line hands out, and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRecord, DeliveryRef, Verdict, WaitReason
from ringback_schemas.endpoints import DisabledReason, EndpointRecord, EndpointSettings
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, EndpointId, InstanceId
from ringback_schemas.lane_names import lane_of
from ringback_schemas.lanes import LaneRoom, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import SETTINGS, attempted, ended, event, instance, registered, running_jobs
from tests.waiting import eventually

FIFO = replace(SETTINGS, is_fifo=True)
RETRYING, EXHAUSTED, PENDING = DeliveryState.RETRYING, DeliveryState.EXHAUSTED, DeliveryState.PENDING
LONG = 3_600.0
ROOMS = LaneRooms(others=100)


async def told(store: Store, owner: InstanceId, count: int) -> list[DeliveryId]:
    """So many jobs end in one batch; the deliveries to the only endpoint, in the order of events."""
    jobs = await running_jobs(store, owner, count)
    outcomes = [ended(job, event=event(job.job.id, deliveries=0)) for job in jobs]
    answers = await store.finish_jobs(outcomes)
    return [delivery_id for answer in answers if answer is not None for delivery_id in answer]


def turn(endpoint: EndpointRecord, hold_s: float = LONG) -> LaneTurn:
    """The endpoint's line is asked for its head."""
    return LaneTurn(lane_of(endpoint.id, endpoint.settings), 1, 0, hold_s)


async def head(store: Store, owner: InstanceId, endpoint: EndpointRecord, hold_s: float = LONG) -> ClaimedDelivery:
    """The head of the line, claimed."""
    (claimed,) = await store.claim_waiting(owner, [turn(endpoint, hold_s)])
    return claimed


async def now_of(store: Store, delivery_id: DeliveryId) -> DeliveryRecord:
    """The delivery as it is now."""
    detail = await store.get_delivery(DEFAULT_TENANT, delivery_id)
    assert detail is not None
    return detail.delivery


async def order(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[DeliveryId]:
    """All that stands in line, delivered one after the other."""
    found = []
    while claimed := await store.claim_waiting(owner, [turn(endpoint)]):
        found += [one.delivery.id for one in claimed]
        await store.record_attempts([attempted(one) for one in claimed])
    return found


def ref(claimed: ClaimedDelivery) -> DeliveryRef:
    """The claimed attempt."""
    return DeliveryRef(claimed.delivery.id, claimed.delivery.attempt)


async def test_line_gives_one_at_a_time_in_the_order_of_events(store: Store, owner: InstanceId) -> None:
    """Also of events that ended jobs in one batch, whose ids do not tell their order."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 20) + await told(store, owner, 5)

    assert await order(store, owner, endpoint) == ids


async def test_head_is_claimed_with_its_body(store: Store, owner: InstanceId) -> None:
    """As by any claim: sending, the owner's, one attempt more."""
    endpoint = await registered(store, FIFO)
    await told(store, owner, 1)

    claimed = await head(store, owner, endpoint)

    record = claimed.delivery
    assert (record.state, record.owner, record.attempt) == (DeliveryState.SENDING, owner, 1)
    assert (record.endpoint_id, record.lane) == (endpoint.id, f"{SETTINGS.destination}#{endpoint.id}")
    assert (record.destination, claimed.body) == (SETTINGS.destination, b'{"type":"job.x","data":{}}')


async def test_nothing_comes_while_the_head_is_sent(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Whoever sends it."""
    endpoint = await registered(store, FIFO)
    await told(store, owner, 2)
    await head(store, owner, endpoint)

    assert await store.claim_waiting(rival, [turn(endpoint)]) == []


async def test_notifiers_that_ask_at_once_get_one_head(store: Store, second_store: Store, owner: InstanceId) -> None:
    """The claim is decided under the endpoint's lock."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)

    answers = await asyncio.gather(
        *[one.claim_waiting(owner, [turn(endpoint)]) for one in (store, second_store) for _ in range(3)]
    )

    assert [claimed.delivery.id for answer in answers for claimed in answer] == ids[:1]


async def test_no_other_claim_hands_out_what_stands_in_line(store: Store, owner: InstanceId) -> None:
    """By name, by time, and for a turn that knows nothing of a line."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    lane = turn(endpoint).lane

    assert await store.claim_deliveries(owner, ids, 5) == []
    assert await store.claim_due_deliveries(owner, 5) == []
    assert (await store.claim_due_in_lanes(owner, 5, ROOMS)).claimed == []
    assert await store.claim_waiting(owner, [LaneTurn(lane, 5, 5)]) == []
    claim = await store.claim_in_lanes(owner, ids, ROOMS)
    assert (claim.claimed, claim.waiting) == ([], frozenset({lane}))


async def test_line_is_found_by_its_deliveries_and_by_looking_for_what_waits(store: Store, owner: InstanceId) -> None:
    """A notifier that was told of one of them learns where to ask."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    lane = turn(endpoint).lane

    assert await store.lines_of(ids) == [lane]
    assert await store.waiting_lanes("", 5) == [lane]
    await order(store, owner, endpoint)
    assert (await store.lines_of(ids), await store.waiting_lanes("", 5)) == ([], [])


async def test_waiting_behind_the_head_is_told(store: Store, owner: InstanceId) -> None:
    """The head itself waits for nobody; what is done says nothing either."""
    endpoint = await registered(store, FIFO)
    first, second = await told(store, owner, 2)
    claimed = await head(store, owner, endpoint)

    assert [(await now_of(store, one)).waits_for for one in (first, second)] == [None, WaitReason.FIFO]
    await store.record_attempts([attempted(claimed, RETRYING, LONG)])
    assert [(await now_of(store, one)).waits_for for one in (first, second)] == [None, WaitReason.FIFO]


async def test_head_is_tried_again_before_the_next_goes(store: Store, owner: InstanceId) -> None:
    """Nothing comes until it is due (BB-77)."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, LONG)])
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []

    await store.redeliver(DEFAULT_TENANT, ids[1])
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []


async def test_due_retry_goes_first(store: Store, owner: InstanceId) -> None:
    """Although its time is later than that of those behind it."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING)])

    assert await order(store, owner, endpoint) == ids


async def test_next_goes_when_the_head_is_exhausted(store: Store, owner: InstanceId) -> None:
    """A delivery that cannot be made holds up the others no longer than its schedule."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await store.record_attempts([attempted(await head(store, owner, endpoint), EXHAUSTED)])

    assert (await head(store, owner, endpoint)).delivery.id == ids[1]


async def test_head_that_holds_up_its_line_for_too_long_is_let_go_of(store: Store, owner: InstanceId) -> None:
    """The next goes, and it is tried beside the line like any retry."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    began = datetime.now(UTC) - timedelta(seconds=60)
    first = attempted(await head(store, owner, endpoint), RETRYING, 0.0, started_at=began)
    await store.record_attempts([first])
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, LONG)])

    assert await store.claim_waiting(owner, [turn(endpoint, 120)]) == []
    claimed = await head(store, owner, endpoint, 30)

    assert claimed.delivery.id == ids[1]
    await store.record_attempts([attempted(claimed)])
    assert (await head(store, owner, endpoint, 30)).delivery.id == ids[2]
    assert (await now_of(store, ids[0])).state is RETRYING


async def test_what_was_let_go_of_stays_beside_the_line(store: Store, owner: InstanceId) -> None:
    """It is found by its time and by its name, and failing again it does not come back."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    began = datetime.now(UTC) - timedelta(seconds=60)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, 0.3, started_at=began)])
    claimed = await head(store, owner, endpoint, 30)

    (late,) = await eventually(lambda: store.claim_due_deliveries(owner, 5), what="the retry to be due")

    assert (late.delivery.id, claimed.delivery.id) == (ids[0], ids[1])
    await store.record_attempts([attempted(late, RETRYING)])
    assert [one.delivery.id for one in await store.claim_deliveries(owner, ids, 5)] == ids[:1]


async def test_what_was_let_go_of_and_finds_no_room_goes_by_the_line(store: Store, owner: InstanceId) -> None:
    """Whoever comes upon it has it wait in the lane, and of that only the line hands out."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    began = datetime.now(UTC) - timedelta(seconds=60)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, 0.1, started_at=began)])
    claimed = await head(store, owner, endpoint, 30)
    full = LaneRooms(100, [LaneRoom(turn(endpoint).lane, 0, WaitReason.IN_FLIGHT)])
    await eventually(lambda: _is_aside(store, owner, ids[0], full))
    await store.record_attempts([attempted(claimed)])

    again = await head(store, owner, endpoint, 30)

    assert again.delivery.id == ids[0]
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    await store.record_attempts([attempted(again)])
    assert await order(store, owner, endpoint) == ids[2:]


async def test_failure_from_before_the_line_that_finds_no_room_goes_by_the_line(
    store: Store, owner: InstanceId
) -> None:
    """It was being sent while its endpoint became a line, so it never stood in it."""
    endpoint = await registered(store)
    ids = await told(store, owner, 1)
    (claimed,) = await store.claim_deliveries(owner, ids, 1)
    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, FIFO)
    assert lined is not None
    await store.record_attempts([attempted(claimed, RETRYING)])
    full = LaneRooms(100, [LaneRoom(turn(lined).lane, 0, WaitReason.RATE)])
    await store.claim_due_in_lanes(owner, 5, full)

    assert await order(store, owner, lined) == ids


async def _is_aside(store: Store, owner: InstanceId, delivery_id: DeliveryId, rooms: LaneRooms) -> bool:
    await store.claim_due_in_lanes(owner, 5, rooms)
    return (await now_of(store, delivery_id)).waits_for is WaitReason.IN_FLIGHT


async def test_released_head_is_still_the_head(store: Store, owner: InstanceId) -> None:
    """Fresh or tried before: a notifier that stops before it sent anything changes no order."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await store.release_deliveries(owner, [ref(await head(store, owner, endpoint))])
    again = await head(store, owner, endpoint)
    await store.record_attempts([attempted(again, RETRYING)])
    await store.release_deliveries(owner, [ref(await head(store, owner, endpoint))])

    assert await order(store, owner, endpoint) == ids


async def test_head_without_room_is_still_the_head(store: Store, owner: InstanceId) -> None:
    """Set aside, it keeps its place."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    claimed = await head(store, owner, endpoint)
    await store.set_aside(owner, [ref(claimed)], WaitReason.CIRCUIT)

    assert (await now_of(store, ids[0])).waits_for is WaitReason.FIFO
    assert await order(store, owner, endpoint) == ids


async def test_head_of_a_dead_notifier_comes_first(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """The rescuer puts nothing out of its order."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await head(store, owner, endpoint)
    await store.beat(instance(rival))

    rescue = await store.rescue(0.0, 3, 10)

    assert rescue.deliveries == (ids[0],)
    assert await order(store, rival, endpoint) == ids


async def test_redelivery_stands_at_the_end_of_the_line(store: Store, owner: InstanceId) -> None:
    """It is one delivery at a time for it, too."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    await store.record_attempts([attempted(await head(store, owner, endpoint))])

    again = await store.redeliver(DEFAULT_TENANT, ids[0])

    assert again is not None
    assert again.waits_for is WaitReason.FIFO
    assert await order(store, owner, endpoint) == [ids[1], ids[2], ids[0]]


async def test_enabled_again_the_line_keeps_its_order(store: Store, owner: InstanceId) -> None:
    """What was parked goes on where it was."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 20)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert await store.waiting_lanes("", 5) == []

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await order(store, owner, endpoint) == ids


async def test_withheld_head_is_parked(store: Store, owner: InstanceId) -> None:
    """It was claimed while somebody disabled its endpoint; enabled again, it is the first."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert await store.withhold_deliveries(owner, [ref(claimed)]) == [True]

    assert (await now_of(store, ids[0])).waits_for is WaitReason.ENDPOINT_DISABLED
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    assert await order(store, owner, endpoint) == ids


async def test_endpoint_that_becomes_a_line_orders_what_waits(store: Store, owner: InstanceId) -> None:
    """What was not in order before is from then on."""
    endpoint = await registered(store)
    ids = await told(store, owner, 20)

    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, FIFO)

    assert lined is not None
    assert await store.claim_due_deliveries(owner, 50) == []
    assert await order(store, owner, lined) == ids


async def test_endpoint_that_is_no_line_any_more_frees_what_waits(store: Store, owner: InstanceId) -> None:
    """All is due at once, also what is being sent just now, once it has failed."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, SETTINGS)

    assert sorted(one.delivery.id for one in await store.claim_due_deliveries(owner, 5)) == sorted(ids[1:])
    await store.record_attempts([attempted(claimed, RETRYING)])
    (again,) = await store.claim_deliveries(owner, ids, 5)
    assert (again.delivery.id, again.delivery.lane) == (ids[0], SETTINGS.destination)


async def test_moved_line_goes_on(store: Store, owner: InstanceId) -> None:
    """At a new URL too nothing comes while the head is sent."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)
    elsewhere = replace(FIFO, url="http://other.example/hook", destination="http://other.example:80")

    moved = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, elsewhere)

    assert moved is not None
    assert await store.claim_waiting(owner, [turn(moved)]) == []
    await store.record_attempts([attempted(claimed, RETRYING)])
    assert await order(store, owner, moved) == ids


async def test_other_changes_leave_a_line_alone(store: Store, owner: InstanceId) -> None:
    """A description is no reason to send two at a time."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await head(store, owner, endpoint)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, replace(FIFO, description="new"))

    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert (await now_of(store, ids[1])).waits_for is WaitReason.FIFO


async def test_deleted_endpoint_leaves_no_line(store: Store, owner: InstanceId) -> None:
    """What waits is cancelled."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)

    await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert [(await now_of(store, one)).state for one in ids] == [DeliveryState.CANCELLED] * 2
    assert await store.waiting_lanes("", 5) == []


async def test_lines_of_several_endpoints_are_apart(store: Store, owner: InstanceId) -> None:
    """One call may give a head of each."""
    first, second = await registered(store, FIFO), await registered(store, FIFO)
    await told(store, owner, 2)

    claimed = await store.claim_waiting(owner, [turn(first), turn(second)])

    assert {one.delivery.endpoint_id for one in claimed} == {first.id, second.id}


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, rate_limit_per_s=5.0),
        replace(SETTINGS, max_in_flight=2),
        replace(SETTINGS, needs_consent=True),
    ],
    ids=["rate", "in flight", "consent"],
)
async def test_endpoint_with_limits_has_a_lane_of_its_own(
    store: Store, owner: InstanceId, settings: EndpointSettings
) -> None:
    """Its deliveries are claimed like any, by that lane."""
    endpoint = await registered(store, settings)
    await told(store, owner, 2)

    claim = await store.claim_due_in_lanes(owner, 5, LaneRooms(others=1))

    lane = f"{SETTINGS.destination}#{endpoint.id}"
    assert ([one.delivery.lane for one in claim.claimed], claim.waiting) == ([lane], frozenset({lane}))


async def test_changed_limits_change_the_lane_of_what_waits(store: Store, owner: InstanceId) -> None:
    """What was set aside behind a limit that is gone is due."""
    endpoint = await registered(store, replace(SETTINGS, rate_limit_per_s=5.0))
    await told(store, owner, 2)
    await store.claim_due_in_lanes(owner, 1, LaneRooms(others=1))

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, SETTINGS)

    (freed,) = await store.claim_due_deliveries(owner, 5)
    assert freed.delivery.lane == SETTINGS.destination


async def test_event_for_one_endpoint_stands_in_its_line(store: Store, owner: InstanceId) -> None:
    """A test too is sent in its turn."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 1)
    new = replace(event(None), type="endpoint.test")
    (callback,) = new.deliveries

    await store.add_event(replace(new, deliveries=(replace(callback, endpoint_id=EndpointId(endpoint.id)),)))

    assert await order(store, owner, endpoint) == [*ids, callback.id]


async def test_failure_of_our_proxy_is_charged_to_nobody(store: Store, owner: InstanceId) -> None:
    """The attempt is kept; the schedule and the endpoint's health are as before."""
    endpoint = await registered(store, replace(SETTINGS, rate_limit_per_s=5.0))
    ids = await told(store, owner, 1)
    (claimed,) = await store.claim_deliveries(owner, ids, 1)

    await store.record_attempts([attempted(claimed, RETRYING, verdict=Verdict.PROXY_FAILED)])

    detail = await store.get_delivery(DEFAULT_TENANT, ids[0])
    found = await store.get_endpoint(DEFAULT_TENANT, endpoint.id)
    assert detail is not None
    assert found is not None
    assert (detail.delivery.state, detail.delivery.tries, len(detail.attempts)) == (RETRYING, 0, 1)
    assert found.health.failures_in_row == 0
