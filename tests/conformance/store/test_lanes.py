"""Deliveries by destination: rooms, setting aside, and what is taken from there."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, DeliveryRef, NewDelivery, WaitReason
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.lanes import LaneRoom, LaneRooms, LaneTurn
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import attempted, delivery_now, delivery_ref, ended, event, running

SHUT, OPEN = "https://shut.example:443", "https://open.example:443"
NO_SHUT = LaneRooms(others=100, named=[LaneRoom(SHUT, 0, WaitReason.CIRCUIT)])


async def due(store: Store, owner: InstanceId, *destinations: str) -> list[DeliveryId]:
    """A delivery that is due for each of these, in the order of their ids."""
    claimed = await running(store, owner)
    news = tuple(NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, f"{one}/hook", one) for one in destinations)
    await store.finish_jobs([ended(claimed, event=replace(event(claimed.job.id), deliveries=news))])
    return [new.id for new in news]


async def set_aside(store: Store, owner: InstanceId, count: int) -> list[DeliveryId]:
    """So many deliveries that wait behind ``SHUT``."""
    ids = await due(store, owner, *[SHUT] * count)
    assert (await store.claim_in_lanes(owner, ids, NO_SHUT)).claimed == []
    return ids


async def set_retries_aside(store: Store, owner: InstanceId, count: int) -> list[DeliveryId]:
    """So many retries that wait behind ``SHUT``."""
    ids = await due(store, owner, *[SHUT] * count)
    claimed = await store.claim_deliveries(owner, ids, count)
    await store.record_attempts([attempted(one, DeliveryState.RETRYING) for one in claimed])
    await store.claim_in_lanes(owner, ids, NO_SHUT)
    return ids


def ids_of(claimed: Iterable[ClaimedDelivery]) -> list[DeliveryId]:
    """Which they are."""
    return [one.delivery.id for one in claimed]


def turn(room: int, retries: int = 0) -> LaneTurn:
    """So much room for ``SHUT``."""
    return LaneTurn(SHUT, room, retries)


async def reason(store: Store, delivery_id: DeliveryId) -> WaitReason | None:
    """Why it waits."""
    return (await delivery_now(store, delivery_id)).waits_for


async def test_claim_by_name_takes_only_what_has_room(store: Store, owner: InstanceId) -> None:
    """The first for each destination, in the order named; destinations with some left over are told."""
    ids = await due(store, owner, SHUT, OPEN, OPEN, OPEN, SHUT)
    rooms = LaneRooms(others=2, named=[LaneRoom(SHUT, 1, WaitReason.RATE)])

    claim = await store.claim_in_lanes(owner, [ids[4], ids[3], ids[1], ids[2], ids[0], ids[4]], rooms)

    assert ids_of(claim.claimed) == [ids[4], ids[3], ids[1]]
    assert (claim.waiting, claim.is_more) == (frozenset({SHUT, OPEN}), False)
    assert [await reason(store, one) for one in ids] == [WaitReason.RATE, None, WaitReason.IN_FLIGHT, None, None]


async def test_claim_in_lanes_gives_what_any_claim_gives(store: Store, owner: InstanceId) -> None:
    """Sending, the owner's, with its body."""
    (delivery_id,) = await due(store, owner, OPEN)

    (claimed,) = (await store.claim_in_lanes(owner, [delivery_id], NO_SHUT)).claimed

    record = claimed.delivery
    assert (record.state, record.owner, record.attempt, record.url) == (
        DeliveryState.SENDING,
        owner,
        1,
        f"{OPEN}/hook",
    )
    assert claimed.body == b'{"type":"job.x","data":{}}'


async def test_claim_in_lanes_leaves_what_is_not_due(store: Store, owner: InstanceId) -> None:
    """Held, done or later: neither claimed nor set aside, and nothing waits."""
    ids = await due(store, owner, SHUT, SHUT, SHUT)
    sent = await store.claim_deliveries(owner, ids, 3)
    await store.record_attempts([attempted(sent[0]), attempted(sent[1], DeliveryState.RETRYING, 3600.0)])

    claim = await store.claim_in_lanes(owner, [*ids, new_delivery_id()], NO_SHUT)

    assert (claim.claimed, claim.waiting) == ([], frozenset())
    assert [await reason(store, one) for one in ids] == [None] * 3


async def test_what_was_set_aside_is_not_looked_at_again(store: Store, owner: InstanceId) -> None:
    """A backlog behind one destination is out of every poll's way."""
    await set_aside(store, owner, 3)
    (other,) = await due(store, owner, OPEN)

    claim = await store.claim_due_in_lanes(owner, 10, LaneRooms(others=10))

    assert (ids_of(claim.claimed), claim.waiting) == ([other], frozenset())
    assert await store.claim_due_deliveries(owner, 10) == []


async def test_claim_due_sets_aside_what_has_no_room(store: Store, owner: InstanceId) -> None:
    """However many they are, those behind them are reached in the same call."""
    shut = await due(store, owner, *[SHUT] * 5)
    opened = await due(store, owner, OPEN, OPEN)

    claim = await store.claim_due_in_lanes(owner, 2, NO_SHUT)

    assert sorted(ids_of(claim.claimed)) == sorted(opened)
    assert (claim.waiting, claim.is_more) == (frozenset({SHUT}), True)
    assert [await reason(store, one) for one in shut] == [WaitReason.CIRCUIT] * 5


async def test_claim_due_says_when_it_saw_all(store: Store, owner: InstanceId) -> None:
    """Fewer than the limit, and nothing left to look at."""
    await due(store, owner, SHUT, OPEN)

    claim = await store.claim_due_in_lanes(owner, 2, NO_SHUT)

    assert (len(claim.claimed), claim.is_more) == (1, False)


async def test_claim_due_leaves_what_is_beyond_its_limit(store: Store, owner: InstanceId) -> None:
    """What has room but was not asked for stays due for the next."""
    ids = await due(store, owner, OPEN, OPEN, OPEN)

    first = await store.claim_due_in_lanes(owner, 2, NO_SHUT)
    second = await store.claim_due_in_lanes(owner, 2, NO_SHUT)

    assert (len(first.claimed), first.waiting, first.is_more) == (2, frozenset(), True)
    assert sorted(ids_of([*first.claimed, *second.claimed])) == sorted(ids)


async def test_claim_due_looks_at_a_bounded_number(store: Store, owner: InstanceId) -> None:
    """A backlog is set aside in pieces, and each call says that there is more."""
    for _ in range(3):
        await due(store, owner, *[SHUT] * 400)

    claims = [await store.claim_due_in_lanes(owner, 5, NO_SHUT) for _ in range(2)]

    assert [(len(one.claimed), one.is_more) for one in claims] == [(0, True), (0, False)]


async def test_claim_waiting_takes_up_to_the_room(store: Store, owner: InstanceId) -> None:
    """The longest overdue first; what is taken waits no longer, the rest still does."""
    ids = sorted(await set_aside(store, owner, 3))

    claimed = await store.claim_waiting(owner, [turn(2)])

    assert ids_of(claimed) == ids[:2]
    assert {one.delivery.state for one in claimed} == {DeliveryState.SENDING}
    assert [await reason(store, one) for one in ids] == [None, None, WaitReason.CIRCUIT]
    assert ids_of(await store.claim_waiting(owner, [turn(2)])) == ids[2:]


async def test_claim_waiting_takes_of_the_named_only(store: Store, owner: InstanceId) -> None:
    """Other destinations' deliveries, and those that were not set aside, are left."""
    await due(store, owner, SHUT)
    await set_aside(store, owner, 1)

    assert await store.claim_waiting(owner, [LaneTurn(OPEN, 5, 5)]) == []
    assert await store.claim_waiting(owner, []) == []
    assert len(await store.claim_waiting(owner, [LaneTurn(OPEN, 5, 5), turn(5)])) == 1


async def test_claim_waiting_takes_fresh_before_retries_but_some(store: Store, owner: InstanceId) -> None:
    """So many retries first, then what is fresh, then other retries."""
    retries = sorted(await set_retries_aside(store, owner, 3))
    fresh = sorted(await set_aside(store, owner, 2))

    claimed = await store.claim_waiting(owner, [turn(4, retries=1)])

    assert ids_of(claimed) == [retries[0], *fresh, retries[1]]


async def test_claim_waiting_gives_no_retry_unasked_while_fresh_ones_wait(store: Store, owner: InstanceId) -> None:
    """Without a share for retries, fresh deliveries have all the room."""
    await set_retries_aside(store, owner, 3)
    fresh = sorted(await set_aside(store, owner, 3))

    assert ids_of(await store.claim_waiting(owner, [turn(2)])) == fresh[:2]


async def test_claim_waiting_by_two_at_once_gives_each_once(
    store: Store, second_store: Store, owner: InstanceId, rival: InstanceId
) -> None:
    """Notifiers share what waits; each stays within its room."""
    ids = await set_aside(store, owner, 40)

    answers = await asyncio.gather(
        *[one.claim_waiting(who, [turn(5)]) for one, who in [(store, owner), (second_store, rival)] * 4]
    )

    claimed = Counter(delivery_id for answer in answers for delivery_id in ids_of(answer))
    assert set(claimed.values()) == {1}
    assert set(claimed) <= set(ids)
    assert max(len(answer) for answer in answers) <= 5


async def test_claim_by_name_takes_what_waits_when_there_is_room(store: Store, owner: InstanceId) -> None:
    """Set aside is not lost: whoever has room may take it by its id."""
    (first, second) = await set_aside(store, owner, 2)

    assert ids_of((await store.claim_in_lanes(owner, [first], LaneRooms(others=1))).claimed) == [first]
    assert ids_of(await store.claim_deliveries(owner, [second], 1)) == [second]


async def test_claim_by_name_tells_of_what_waits_already(store: Store, owner: InstanceId) -> None:
    """A notifier that did not set it aside learns of it all the same."""
    ids = await set_aside(store, owner, 1)

    claim = await store.claim_in_lanes(owner, ids, LaneRooms(1, [LaneRoom(SHUT, 0, WaitReason.RATE)]))

    assert claim.waiting == frozenset({SHUT})
    assert await reason(store, ids[0]) is WaitReason.CIRCUIT


async def test_set_aside_undoes_a_claim(store: Store, owner: InstanceId) -> None:
    """Ready as it was, fresh or a retry, with the number of the attempt to be given again; and it waits."""
    fresh, retried = await due(store, owner, SHUT, SHUT)
    (first,) = await store.claim_deliveries(owner, [retried], 1)
    await store.record_attempts([attempted(first, DeliveryState.RETRYING)])
    claimed = await store.claim_deliveries(owner, [fresh, retried], 2)

    answers = await store.set_aside(owner, [delivery_ref(one) for one in claimed], WaitReason.CIRCUIT)

    details = [await store.get_delivery(DEFAULT_TENANT, one) for one in (fresh, retried)]
    records = [detail.delivery for detail in details if detail is not None]
    assert answers == [True, True]
    assert [(one.state, one.attempt, one.tries, one.owner, one.waits_for) for one in records] == [
        (DeliveryState.PENDING, 0, 0, None, WaitReason.CIRCUIT),
        (DeliveryState.RETRYING, 1, 1, None, WaitReason.CIRCUIT),
    ]
    assert ids_of(await store.claim_waiting(owner, [turn(5)])) == [fresh, retried]


async def test_set_aside_leaves_what_is_not_the_owners(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Another's, another attempt, or done: False, and it stays as it is."""
    claimed = await store.claim_deliveries(owner, await due(store, owner, SHUT, SHUT), 2)
    await store.record_attempts([attempted(claimed[0])])
    refs = [delivery_ref(one) for one in claimed]

    assert await store.set_aside(rival, refs, WaitReason.RATE) == [False, False]
    assert await store.set_aside(owner, [refs[0], DeliveryRef(refs[1].delivery_id, 7)], WaitReason.RATE) == [False] * 2
    assert await store.set_aside(owner, [], WaitReason.RATE) == []
    assert await store.held_deliveries(owner) == [refs[1]]


async def test_what_was_taken_is_ordinary_again(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Given back or retried, it is found by any poll."""
    await set_aside(store, owner, 2)
    released, retried = await store.claim_waiting(owner, [turn(2)])

    await store.release_deliveries(owner, [DeliveryRef(released.delivery.id, 1)])
    await store.record_attempts([attempted(retried, DeliveryState.RETRYING)])

    assert len(await store.claim_due_deliveries(rival, 5)) == 2


async def test_redeliver_takes_it_out_of_the_queue(store: Store, owner: InstanceId) -> None:
    """It is due at once, and may wait anew."""
    (delivery_id,) = await set_retries_aside(store, owner, 1)

    record = await store.redeliver(DEFAULT_TENANT, delivery_id)

    assert record is not None
    assert record.waits_for is None
    assert ids_of(await store.claim_due_deliveries(owner, 5)) == [delivery_id]


async def test_waiting_lanes_come_in_pages(store: Store, owner: InstanceId) -> None:
    """Each once, in order, beginning after the one given; those where nothing waits are absent."""
    names = [f"https://{number}.example:443" for number in range(5)]
    ids = await due(store, owner, *names, *names)
    closed = [LaneRoom(name, 0, WaitReason.CIRCUIT) for name in names[:4]]
    await store.claim_in_lanes(owner, ids, LaneRooms(1, closed))
    await store.claim_waiting(owner, [LaneTurn(names[1], 5, 0)])
    await store.claim_waiting(owner, [LaneTurn(names[4], 5, 0)])

    assert await store.waiting_lanes("", 2) == [names[0], names[2]]
    assert await store.waiting_lanes(names[2], 2) == [names[3]]
    assert await store.waiting_lanes(names[3], 2) == []


async def test_tally_counts_what_was_set_aside(store: Store, owner: InstanceId) -> None:
    """It is due all the same."""
    await set_aside(store, owner, 2)
    await due(store, owner, OPEN)

    tallies = await store.tally()

    assert (tallies.deliveries_due, tallies.oldest_due_age_s > 0) == (3, True)


async def test_fresh_delivery_that_was_given_back_before_is_set_aside_as_a_fresh_one(
    store: Store, owner: InstanceId
) -> None:
    """A stop of its notifier used up a number, and no try."""
    (delivery_id,) = await due(store, owner, SHUT)
    (first,) = await store.claim_deliveries(owner, [delivery_id], 1)
    await store.release_deliveries(owner, [delivery_ref(first)])
    (second,) = await store.claim_deliveries(owner, [delivery_id], 1)

    await store.set_aside(owner, [delivery_ref(second)], WaitReason.RATE)

    assert (await delivery_now(store, delivery_id)).state is DeliveryState.PENDING
