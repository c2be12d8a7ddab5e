"""One destination costs the others nothing (BB-41, 76, 78, 90): what is held, what waits, and what goes first."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from ringback_backends.intake import Pace
from ringback_notifier.circuit import BreakerPlan
from ringback_notifier.lane import LanePlan
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryOutcome, Timing, Verdict, WaitReason
from ringback_schemas.ids import DeliveryId, new_instance_id
from ringback_schemas.lanes import Circuit, LaneRooms
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Held
from tests.notifier.conftest import Rig
from tests.receiver import Receiver
from tests.waiting import eventually

NEVER = Pace(poll_s=600, poll_away_s=600)
"""Nothing is found by polling, but for what is due when the notifier starts."""

QUICK_BREAKER = BreakerPlan(failures=5, lasting_s=0, first_pause_s=0.3, longest_pause_s=0.6)


async def waiting(rig: Rig, ids: list[DeliveryId]) -> list[WaitReason]:
    """Why those wait that do."""
    reasons = [(await rig.delivery(one)).delivery.waits_for for one in ids]
    return [reason for reason in reasons if reason is not None]


async def all_ended(rig: Rig, ids: list[DeliveryId], within_s: float = 20.0) -> Counter[str]:
    """How many ended how."""
    # one after another: to ask for hundreds at once would be what the store is busy with
    return Counter([(await rig.ended(one, within_s=within_s)).delivery.state.value for one in ids])


async def due_retries(rig: Rig, urls: list[str]) -> list[DeliveryId]:
    """Deliveries that failed once and are due again, not announced."""
    ids = await rig.deliver(*urls, is_announced=False)
    before = new_instance_id()
    claimed = await rig.store.claim_deliveries(before, ids, len(ids))
    assert len(claimed) == len(ids)
    attempt = DeliveryAttempt(1, claimed[0].job_created_at, Timing(0.1), Verdict.TIMEOUT, "No answer.")
    retrying = [DeliveryOutcome(one, before, attempt, DeliveryState.RETRYING) for one in ids]
    await rig.store.record_attempts(retrying)
    return ids


async def test_hanging_destination_holds_its_own_slots_only(rig: Rig) -> None:
    """One that hangs on everything beside 50 healthy ones: they are delivered, it waits in the store (BB-41)."""
    async with AsyncExitStack() as stack:
        hanging = await stack.enter_async_context(Receiver())
        hanging.always(Hang())
        healthy = [await stack.enter_async_context(Receiver()) for _ in range(50)]
        async with rig.notifier(concurrency=16, lane=LanePlan(slow_concurrency=4), grace_s=0) as notifier:
            stuck = await rig.deliver(*[hanging.url()] * 40)
            fine = await rig.deliver(*[one.url() for one in healthy] * 2)

            assert await all_ended(rig, fine) == {"delivered": 100}

            states = Counter([(await rig.delivery(one)).delivery.state.value for one in stuck])
            assert states == {"sending": 4, "pending": 36}
            assert await waiting(rig, stuck) == [WaitReason.IN_FLIGHT] * 36
            assert notifier.in_flight == 4


async def test_deliveries_without_an_answer_for_a_second_free_their_slots(rig: Rig, receiver: Receiver) -> None:
    """All slots held by receivers that hang: others go on all the same."""
    async with AsyncExitStack() as stack:
        hanging = [await stack.enter_async_context(Receiver()) for _ in range(2)]
        for one in hanging:
            one.always(Hang())
        async with rig.notifier(concurrency=2, pace=NEVER, grace_s=0):
            stuck = await rig.deliver(*[one.url() for one in hanging])
            for one in hanging:
                await one.wait_for(1)
            (fine,) = await rig.deliver(receiver.url())

            await rig.ended(fine, within_s=4)

            assert [(await rig.delivery(one)).delivery.state.value for one in stuck] == ["sending"] * 2


async def test_what_waits_starts_as_soon_as_there_is_room(rig: Rig, receiver: Receiver) -> None:
    """Without any poll, and never more at once than allowed."""
    gate = asyncio.Event()
    receiver.always(Held(gate))

    async with rig.notifier(pace=NEVER, lane=LanePlan(max_in_flight=2)):
        ids = await rig.deliver(*[receiver.url()] * 10)
        await receiver.wait_for(2)

        async def rest_waits() -> bool:
            return len(await waiting(rig, ids)) == 8

        await eventually(rest_waits)
        assert len(receiver.requests) == 2
        gate.set()
        assert await all_ended(rig, ids) == {"delivered": 10}

    assert set(rig.counts.sources) == {"broker", "lane"}


async def test_open_circuit_burns_no_attempts(rig: Rig, receiver: Receiver) -> None:
    """Only probes go out while it is open; a good one lets all the others go (BB-78)."""
    receiver.always(Answer(503))
    lane = LanePlan(slow_concurrency=1, breaker=QUICK_BREAKER)

    async with rig.notifier(pace=NEVER, schedule_s=(0.2,) * 30, concurrency=8, lane=lane):
        ids = await rig.deliver(*[receiver.url()] * 30)

        async def is_open() -> bool:
            return rig.counts.lanes.get(Circuit.OPEN) == 1 and len(receiver.requests) >= 7

        await eventually(is_open)
        waits = await waiting(rig, ids)
        receiver.always(Answer(200))
        assert await all_ended(rig, ids) == {"delivered": 30}
        await eventually(lambda: rig.counts.lanes == {Circuit.CLOSED: 1, Circuit.OPEN: 0, Circuit.HALF_OPEN: 0})

    failed = len([outcome for outcome in rig.counts.outcomes if outcome.state is DeliveryState.RETRYING])
    # five to open it, and one for each pause since
    assert 7 <= failed <= 5 + 4
    assert len(waits) >= 20


async def test_probes_go_one_at_a_time(rig: Rig, receiver: Receiver) -> None:
    """While a probe is under way nothing else is sent there."""
    receiver.script(*[Answer(500)] * 5)
    lane = LanePlan(slow_concurrency=1, breaker=QUICK_BREAKER)
    gate = asyncio.Event()
    receiver.always(Held(gate))

    async with rig.notifier(schedule_s=(0.1,) * 9, lane=lane):
        ids = await rig.deliver(*[receiver.url()] * 12)
        await receiver.wait_for(6)
        (more,) = await rig.deliver(receiver.url("/more"))

        async def waits() -> bool:
            return await waiting(rig, [more]) == [WaitReason.CIRCUIT]

        await eventually(waits)
        assert len(receiver.requests) == 6
        gate.set()
        assert await all_ended(rig, [*ids, more]) == {"delivered": 13}


async def test_rate_is_kept(rig: Rig, receiver: Receiver) -> None:
    """So many in a second, and no fewer than that but for a little (BB-76)."""
    async with rig.notifier(pace=NEVER, lane=LanePlan(rate_per_s=5)):
        ids = await rig.deliver(*[receiver.url()] * 12)
        await all_ended(rig, ids)

    at = sorted(request.at for request in receiver.requests)
    # the way here may bunch up a little, hence not a whole second
    assert max(sum(first <= other < first + 0.9 for other in at) for first in at) <= 5
    assert at[-1] - at[0] >= 11 / 5


async def test_fresh_deliveries_go_before_a_backlog_of_retries(rig: Rig, receiver: Receiver) -> None:
    """After an outage: of four sent three are fresh and one is a retry, so that neither starves (BB-90)."""
    gate = asyncio.Event()
    receiver.script(Held(gate))
    old = await due_retries(rig, [receiver.url("/old")] * 24)

    async with rig.notifier(pace=NEVER, lane=LanePlan(max_in_flight=1)):
        await receiver.wait_for(1)
        new = await rig.deliver(*[receiver.url("/new")] * 9)

        async def new_ones_wait() -> bool:
            return len(await waiting(rig, new)) == 9

        await eventually(new_ones_wait)
        gate.set()
        assert await all_ended(rig, [*old, *new]) == {"delivered": 33}

    order = [request.target for request in receiver.requests[1:14]]
    assert (order.count("/new"), order.count("/old")) == (9, 4)


async def test_backlog_behind_one_destination_delays_no_others(rig: Rig, receiver: Receiver) -> None:
    """Thousands of overdue retries before it in the queue: the other's is reached with the first poll."""
    async with Receiver() as hanging:
        hanging.always(Hang())
        stuck = await due_retries(rig, [hanging.url()] * 2_500)
        (fine,) = await rig.deliver(receiver.url(), is_announced=False)

        async with rig.notifier(pace=NEVER, grace_s=0):
            assert (await rig.ended(fine, within_s=8)).delivery.state == DeliveryState.DELIVERED
            assert len(hanging.requests) <= 8

    assert (await rig.delivery(stuck[-1])).delivery.state == DeliveryState.RETRYING


async def test_new_deliveries_are_not_starved_by_a_backlog_of_many_destinations(rig: Rig, receiver: Receiver) -> None:
    """Polls of what is overdue take turns with envelopes of what is new (BB-90)."""
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(Receiver()) for _ in range(10)]
        old = await due_retries(rig, [one.url() for one in others] * 60)

        async with rig.notifier(concurrency=4):
            (new,) = await rig.deliver(receiver.url())
            await rig.ended(new)
            left = sum([(await rig.delivery(one)).delivery.state is DeliveryState.RETRYING for one in old])
            assert left > 100
            assert await all_ended(rig, old, within_s=40) == {"delivered": 600}


@pytest.mark.parametrize("count", [3, 250])
async def test_what_another_notifier_set_aside_is_found(rig: Rig, receiver: Receiver, count: int) -> None:
    """It died, or has no room where this one has: the store is asked where something waits."""
    ids = await rig.deliver(*[receiver.url()] * count, is_announced=False)
    claim = await rig.store.claim_in_lanes(new_instance_id(), ids, LaneRooms(1))
    await rig.store.rescue(0, 3, 10)

    assert len(claim.claimed) == 1
    async with rig.notifier():
        assert await all_ended(rig, ids) == {"delivered": count}


async def test_store_that_goes_away_costs_no_waiting_delivery(rig: Rig, receiver: Receiver) -> None:
    """What waits is claimed when the store is back, without a poll."""
    gate = asyncio.Event()
    receiver.always(Held(gate))

    async with rig.notifier(pace=NEVER, lane=LanePlan(max_in_flight=1)):
        ids = await rig.deliver(*[receiver.url()] * 3)

        async def two_wait() -> bool:
            return len(await waiting(rig, ids)) == 2

        await eventually(two_wait)
        rig.outage.away = {"claim_waiting"}
        gate.set()
        await eventually(lambda: rig.outage.calls.count("claim_waiting") >= 2)
        rig.outage.away = set()
        assert await all_ended(rig, ids) == {"delivered": 3}


async def test_limits_are_shared_with_other_notifiers(rig: Rig, receiver: Receiver) -> None:
    """Two live ones: each may have half of four in flight."""
    receiver.always(Hang())
    rig.plan = replace(rig.plan, peers_every_s=0.05, grace_s=0)

    async with rig.notifier(lane=LanePlan(max_in_flight=4)) as notifier:
        await rig.another_notifier()
        await eventually(lambda: rig.outage.calls.count("list_instances") >= 4)
        ids = await rig.deliver(*[receiver.url()] * 10)

        async def rest_waits() -> bool:
            return len(await waiting(rig, ids)) == 8

        await eventually(rest_waits)
        assert notifier.in_flight == 2
