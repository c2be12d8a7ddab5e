"""Endpoints that take one delivery at a time: what a line hands out, and when."""

import asyncio
from dataclasses import replace

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.ids import DEFAULT_TENANT, EndpointId, InstanceId
from ringback_schemas.lanes import LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState
from tests.conformance.store.lines import FIFO, LONG, head, order, turn
from tests.conformance.store.making import (
    SETTINGS,
    attempted,
    delivery_now,
    delivery_ref,
    event,
    instance,
    registered,
    told,
)
from tests.conformance.store.replaying import replay, sent, steps

RETRYING, EXHAUSTED = DeliveryState.RETRYING, DeliveryState.EXHAUSTED
ROOMS = LaneRooms(others=100)


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

    assert [(await delivery_now(store, one)).waits_for for one in (first, second)] == [None, WaitReason.FIFO]
    await store.record_attempts([attempted(claimed, RETRYING, LONG)])
    assert [(await delivery_now(store, one)).waits_for for one in (first, second)] == [None, WaitReason.FIFO]


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


async def test_released_head_is_still_the_head(store: Store, owner: InstanceId) -> None:
    """Fresh or tried before: a notifier that stops before it sent anything changes no order."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await store.release_deliveries(owner, [delivery_ref(await head(store, owner, endpoint))])
    again = await head(store, owner, endpoint)
    await store.record_attempts([attempted(again, RETRYING)])
    await store.release_deliveries(owner, [delivery_ref(await head(store, owner, endpoint))])

    assert await order(store, owner, endpoint) == ids


async def test_head_without_room_is_still_the_head(store: Store, owner: InstanceId) -> None:
    """Set aside, it keeps its place."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    claimed = await head(store, owner, endpoint)
    await store.set_aside(owner, [delivery_ref(claimed)], WaitReason.CIRCUIT)

    assert (await delivery_now(store, ids[0])).waits_for is WaitReason.FIFO
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


async def test_replayed_delivery_stands_at_the_end_of_the_line(store: Store, owner: InstanceId) -> None:
    """Not at its head, where retries stand."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    await store.record_attempts([attempted(await head(store, owner, endpoint))])
    await replay(store, states=(DeliveryState.DELIVERED,))

    assert sent(await steps(store)) == [ids[0]]
    assert await order(store, owner, endpoint) == [ids[1], ids[2], ids[0]]


async def test_lines_of_several_endpoints_are_apart(store: Store, owner: InstanceId) -> None:
    """One call may give a head of each."""
    first, second = await registered(store, FIFO), await registered(store, FIFO)
    await told(store, owner, 2)

    claimed = await store.claim_waiting(owner, [turn(first), turn(second)])

    assert {one.delivery.endpoint_id for one in claimed} == {first.id, second.id}


async def test_event_for_one_endpoint_stands_in_its_line(store: Store, owner: InstanceId) -> None:
    """A test too is sent in its turn."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 1)
    new = replace(event(None), type="endpoint.test")
    (callback,) = new.deliveries

    await store.add_event(replace(new, deliveries=(replace(callback, endpoint_id=EndpointId(endpoint.id)),)))

    assert await order(store, owner, endpoint) == [*ids, callback.id]
