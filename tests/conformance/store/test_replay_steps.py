"""Steps of a replay: by many at once, in turns with others, while little else is due, until it is cancelled."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import DeliveryKind, NewDelivery, WaitReason
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.lanes import LaneRoom, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState, ReplayState
from tests.conformance.store.making import DESTINATION, URL, delivery_ref, event
from tests.conformance.store.replaying import EXHAUSTED, SMALL, found, replay, sent, settled, states, steps


async def test_replay_sends_each_delivery_once_when_many_take_steps(
    store: Store, second_store: Store, owner: InstanceId
) -> None:
    """Two processes, each taking several steps at once, as after a takeover."""
    wanted = await settled(store, owner, 30)
    made = await replay(store)

    async def walk(of: Store) -> list[DeliveryId]:
        redelivered: list[DeliveryId] = []
        while (await found(of, made)).state is not ReplayState.DONE:
            step = await of.advance_replay(SMALL)
            redelivered += [] if step is None else step.redelivered
        return redelivered

    parts = await asyncio.gather(*(walk(one) for one in (store, second_store, store, second_store)))

    assert sorted(delivery_id for part in parts for delivery_id in part) == wanted
    assert (await found(store, made)).redelivered == 30


async def test_cancel_stops_a_replay_where_it_is(store: Store, owner: InstanceId) -> None:
    """What it made due stays due, the rest stays as it was; a second time changes nothing."""
    wanted = await settled(store, owner, 6)
    made = await replay(store)
    taken = [await store.advance_replay(SMALL) for _ in range(4)]
    redelivered = sent([step for step in taken if step is not None])

    cancelled = await store.cancel_replay(DEFAULT_TENANT, made.id)

    assert cancelled is not None
    assert (cancelled.state, cancelled.redelivered) == (ReplayState.CANCELLED, len(redelivered))
    assert await steps(store) == []
    assert await states(store, wanted) == [DeliveryState.RETRYING] * len(redelivered) + [EXHAUSTED] * (
        6 - len(redelivered)
    )
    assert await store.cancel_replay(DEFAULT_TENANT, made.id) == cancelled


async def test_cancel_leaves_a_done_replay_done(store: Store) -> None:
    """There is nothing to stop."""
    made = await replay(store)
    await steps(store)

    assert await store.cancel_replay(DEFAULT_TENANT, made.id) == await found(store, made)
    assert (await found(store, made)).state is ReplayState.DONE


async def test_replays_take_turns(store: Store, owner: InstanceId) -> None:
    """A long one does not keep a short one waiting."""
    await settled(store, owner, 12)
    long = await replay(store)
    await store.advance_replay(SMALL)
    short = await replay(store, url="http://nobody.example/", created_before=datetime(2020, 1, 1, tzinfo=UTC))

    taken = [await store.advance_replay(SMALL) for _ in range(4)]

    turns = [step.replay.id for step in taken if step is not None]
    assert set(turns[:2]) == {long.id, short.id}


async def test_replay_waits_while_much_is_due(store: Store, owner: InstanceId) -> None:
    """Only redelivering does: counting costs nobody anything."""
    wanted = await settled(store, owner, 3)
    await store.add_event(event(None, deliveries=2))
    full = replace(SMALL, most_due=2)
    made = await replay(store)

    held = await steps(store, full)

    assert sent(held) == []
    assert (await found(store, made)).is_counted
    await store.claim_due_deliveries(owner, 1)
    assert sent(await steps(store, full)) == wanted[:2]


async def fresh_behind(store: Store, owner: InstanceId) -> DeliveryId:
    """A delivery that comes now; it waits with all that is due for the same destination."""
    new = NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, URL, DESTINATION)
    await store.add_event(replace(event(None, deliveries=0), deliveries=(new,)))
    full = LaneRooms(others=100, named=[LaneRoom(DESTINATION, 0, WaitReason.RATE)])
    await store.claim_due_in_lanes(owner, 10, full)
    return new.id


async def taken(store: Store, owner: InstanceId, room: int, retries: int) -> list[DeliveryId]:
    """What a turn of that destination's lane takes."""
    claimed = await store.claim_waiting(owner, [LaneTurn(DESTINATION, room, retries)])
    return [one.delivery.id for one in claimed]


async def test_lane_lets_fresh_deliveries_go_before_replayed_ones(store: Store, owner: InstanceId) -> None:
    """What comes after a replay does not queue behind all of it, and the replay has its share."""
    old = await settled(store, owner, 3)
    await replay(store)
    await steps(store)
    fresh = await fresh_behind(store, owner)

    assert await taken(store, owner, 1, 0) == [fresh]
    assert await taken(store, owner, 3, 1) == old


async def test_replayed_deliveries_that_are_given_back_stay_behind_fresh_ones(store: Store, owner: InstanceId) -> None:
    """There was no room for one of them, its notifier stopped before it sent the other."""
    old = await settled(store, owner, 2)
    await replay(store)
    await steps(store)
    refs = [delivery_ref(one) for one in await store.claim_deliveries(owner, old, 2)]

    await store.set_aside(owner, refs[:1], WaitReason.RATE)
    await store.release_deliveries(owner, refs[1:])

    fresh = await fresh_behind(store, owner)
    assert await states(store, old) == [DeliveryState.RETRYING] * 2
    assert await taken(store, owner, 1, 0) == [fresh]


async def test_replay_of_retries_leaves_what_another_replay_sends(store: Store, owner: InstanceId) -> None:
    """Nothing waited for a retry when it was made; what the other one made due does not either."""
    wanted = await settled(store, owner, 3)
    first = await replay(store)
    second = await replay(store, states=(DeliveryState.RETRYING,))

    redelivered = sent(await steps(store))

    assert redelivered == wanted
    assert [(await found(store, made)).matched for made in (first, second)] == [3, 0]
