"""Endpoints that bound what they are sent: rate, cap in flight, one at a time; by one notifier and by several."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.documents import event_body
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, new_instance_id
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Held
from tests.notifier.conftest import Rig
from tests.notifier.endpoints import AT, GRANT, all_deliveries, register
from tests.receiver import Receiver, Request
from tests.waiting import eventually


async def events(rig: Rig, count: int, *, is_announced: bool = True) -> list[DeliveryId]:
    """So many jobs end, one after the other, each with its number as data; the deliveries to the only endpoint."""
    known = {one.id for one in await all_deliveries(rig)}
    for number in range(count):
        await rig.deliver(body=event_body("job.succeeded", AT, {"n": number}), is_announced=is_announced)
    fresh = [one.id for one in reversed(await all_deliveries(rig)) if one.id not in known]
    if is_announced:
        rig.announcer.announce(DELIVERIES, fresh)
    return fresh


def numbers(requests: Sequence[Request]) -> list[int]:
    """Which events came, in order."""
    return [request.json()["data"]["n"] for request in requests if request.method == "POST"]


def most_in_a_second(requests: Sequence[Request]) -> int:
    """The most requests in any window of one second."""
    times = [request.at for request in requests]
    return max(sum(at <= other < at + 1 for other in times) for at in times)


async def reasons(rig: Rig, ids: Sequence[DeliveryId]) -> set[WaitReason | None]:
    """Why the pending ones of them wait."""
    found = [(await rig.delivery(one)).delivery for one in ids]
    return {one.waits_for for one in found if one.state is DeliveryState.PENDING}


async def changed(rig: Rig, endpoint: EndpointRecord, **settings: object) -> None:
    """The endpoint gets other settings."""
    changed = replace(endpoint.settings, **settings)  # type: ignore[arg-type]
    assert await rig.store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, changed) is not None


async def test_rate_of_an_endpoint_is_kept(rig: Rig, receiver: Receiver) -> None:
    """Never more in any second; what waits says why, and no attempt is spent on it (BB-76)."""
    await register(rig, receiver.url(), rate_limit_per_s=20)

    async with rig.notifier():
        ids = await events(rig, 40)
        await receiver.wait_for(5)
        waiting = await reasons(rig, ids)
        requests = await receiver.wait_for(40, within_s=20)
        details = [await rig.ended(one) for one in ids]

    assert most_in_a_second(requests) <= 20
    assert WaitReason.RATE in waiting
    assert {detail.delivery.attempt for detail in details} == {1}


async def test_rate_is_shared_by_notifiers(rig: Rig, receiver: Receiver) -> None:
    """Two of them together keep it."""
    await register(rig, receiver.url(), rate_limit_per_s=20)
    other = new_instance_id()

    async with AsyncExitStack() as stack:
        for owner in (rig.owner, other):
            await stack.enter_async_context(rig.notifier(owner=owner, peers_every_s=0.05))
        await eventually(lambda: rig.outage.calls.count("list_instances") > 8, what="notifiers to know of each other")
        await events(rig, 40)
        requests = await receiver.wait_for(40, within_s=20)

    assert most_in_a_second(requests) <= 20


async def test_delivery_whose_turn_is_far_holds_no_slot(rig: Rig, receiver: Receiver) -> None:
    """More were taken than the rate allows: one is sent, the others go back to the store, no attempt spent."""
    await register(rig, receiver.url(), rate_limit_per_s=0.01)
    rig.outage.away = {"set_aside"}

    async with rig.notifier() as notifier:
        ids = await events(rig, 4)
        await receiver.wait_for(1)
        await eventually(lambda: rig.outage.calls.count("set_aside") >= 3, what="three to be in flight for nothing")
        rig.outage.away = set()
        await eventually(lambda: notifier.in_flight == 0, what="their slots to be free")

        found = [(await rig.delivery(one)).delivery for one in ids]

    waiting = [one for one in found if one.state is DeliveryState.PENDING]
    assert len(receiver.requests) == 1
    assert [(one.waits_for, one.attempt, one.tries) for one in waiting] == [(WaitReason.RATE, 0, 0)] * 3


async def test_rate_that_was_consented_to_is_kept(rig: Rig, receiver: Receiver) -> None:
    """600 a minute are ten a second, though nobody set a limit."""
    grant = replace(GRANT, headers={**GRANT.headers, "WebHook-Allowed-Rate": "600"})
    receiver.script(grant)
    await register(rig, receiver.url(), needs_consent=True)

    async with rig.notifier():
        (first,) = await events(rig, 1)
        await rig.ended(first)
        await asyncio.gather(*[rig.ended(one) for one in await events(rig, 15)])

    posts = [request for request in receiver.requests if request.method == "POST"]
    assert len(posts) == 16
    # what was claimed before the rate was known may have gone with the first
    assert most_in_a_second(posts[1:]) <= 11
    assert {request.header("webhook-request-origin") for request in posts} == {"localhost"}


async def test_cap_of_an_endpoint_is_kept(rig: Rig, receiver: Receiver) -> None:
    """Two at a time, the rest waits in the store and says so."""
    gate = asyncio.Event()
    receiver.always(Held(gate))
    await register(rig, receiver.url(), max_in_flight=2)

    async with rig.notifier() as notifier:
        ids = await events(rig, 6)
        await receiver.wait_for(2)

        async def rest_waits() -> bool:
            return await reasons(rig, ids) == {WaitReason.IN_FLIGHT}

        await eventually(rest_waits, what="the rest to wait")
        assert (notifier.in_flight, len(receiver.requests)) == (2, 2)
        gate.set()
        for one in ids:
            await rig.ended(one)

    assert len(receiver.requests) == 6


async def test_limits_of_one_endpoint_leave_the_others_alone(rig: Rig, receiver: Receiver) -> None:
    """Even at the same destination."""
    await register(rig, receiver.url("/slow"), rate_limit_per_s=0.5)
    await register(rig, receiver.url("/quick"))

    async with rig.notifier():
        await events(rig, 10)
        await eventually(lambda: len(receiver.to("/quick")) == 10, what="the one without limits to get all")

    assert len(receiver.to("/slow")) <= 3


async def test_changed_limit_holds_within_seconds(rig: Rig, receiver: Receiver) -> None:
    """What waits behind a limit that is gone goes out."""
    endpoint = await register(rig, receiver.url(), rate_limit_per_s=0.01)

    async with rig.notifier():
        ids = await events(rig, 10)
        await receiver.wait_for(1)
        await changed(rig, endpoint, rate_limit_per_s=None)
        for one in ids:
            await rig.ended(one)

    assert len(receiver.requests) == 10


async def test_line_keeps_its_order_over_failures(rig: Rig, receiver: Receiver) -> None:
    """The second of five fails twice: 1, 2, 2, 2, 3, 4, 5 (BB-77)."""
    receiver.script(Answer(200), Answer(500), Answer(500))
    await register(rig, receiver.url(), is_fifo=True)

    async with rig.notifier():
        ids = await events(rig, 5)
        for one in ids:
            await rig.ended(one)

    assert numbers(receiver.requests) == [0, 1, 1, 1, 2, 3, 4]


async def test_line_keeps_its_order_over_several_notifiers(rig: Rig, receiver: Receiver) -> None:
    """And one at a time, whoever sends it."""
    receiver.script(*[Answer(200), Answer(503)] * 10)
    await register(rig, receiver.url(), is_fifo=True)

    async with AsyncExitStack() as stack:
        notifiers = [
            await stack.enter_async_context(rig.notifier(owner=owner)) for owner in (rig.owner, new_instance_id())
        ]
        ids = await events(rig, 30)
        most = 0
        while len(receiver.requests) < 40:
            most = max(most, sum(notifier.in_flight for notifier in notifiers))
            await asyncio.sleep(0)
        for one in ids:
            await rig.ended(one)

    order = numbers(receiver.requests)
    assert order == sorted(order)
    assert (sorted(set(order)), most) == (list(range(30)), 1)


async def test_line_without_announcements_is_found_by_polls(rig: Rig, receiver: Receiver) -> None:
    """A lost envelope costs the time of a poll."""
    await register(rig, receiver.url(), is_fifo=True)
    await events(rig, 3, is_announced=False)

    async with rig.notifier():
        requests = await receiver.wait_for(3)

    assert numbers(requests) == [0, 1, 2]


async def test_line_goes_on_when_its_head_is_exhausted(rig: Rig, receiver: Receiver) -> None:
    """Three attempts at the first, then the second."""
    receiver.script(*[Answer(500)] * 3)
    await register(rig, receiver.url(), is_fifo=True)

    async with rig.notifier():
        first, second = await events(rig, 2)
        assert (await rig.ended(first)).delivery.state is DeliveryState.EXHAUSTED
        assert (await rig.ended(second)).delivery.state is DeliveryState.DELIVERED

    assert numbers(receiver.requests) == [0, 0, 0, 1]


async def test_head_holds_up_its_line_for_a_bounded_time(rig: Rig, receiver: Receiver) -> None:
    """Then the others go, and it is tried beside them."""
    receiver.script(Answer(500))
    await register(rig, receiver.url(), is_fifo=True)

    async with rig.notifier(schedule_s=(1.5,), fifo_hold_s=0.3):
        ids = await events(rig, 3)
        details = [await rig.ended(one) for one in ids]

    assert numbers(receiver.requests) == [0, 1, 2, 0]
    assert {detail.delivery.state for detail in details} == {DeliveryState.DELIVERED}


async def test_line_waits_visibly(rig: Rig, receiver: Receiver) -> None:
    """Those behind the head say what for; nothing is in flight but the head."""
    gate = asyncio.Event()
    receiver.always(Held(gate))
    await register(rig, receiver.url(), is_fifo=True)

    async with rig.notifier() as notifier:
        ids = await events(rig, 4)
        await receiver.wait_for(1)
        assert await reasons(rig, ids) == {WaitReason.FIFO}
        assert notifier.in_flight == 1
        gate.set()
        await rig.ended(ids[-1])


async def test_slow_line_leaves_other_endpoints_alone(rig: Rig, receiver: Receiver) -> None:
    """It holds one slot."""
    gate = asyncio.Event()
    receiver.always(Held(gate), path="/line")
    await register(rig, receiver.url("/line"), is_fifo=True)
    await register(rig, receiver.url("/other"))

    async with rig.notifier():
        await events(rig, 8)
        await eventually(lambda: len(receiver.to("/other")) == 8, what="the other endpoint to get all")
        assert len(receiver.to("/line")) == 1
        gate.set()


async def test_deliveries_without_limits_ask_for_none(rig: Rig, receiver: Receiver) -> None:
    """A callback costs no look-up of an endpoint, nor of a line."""
    async with rig.notifier(pace=replace(rig.plan.pace, poll_s=60)):
        (one,) = await rig.deliver(receiver.url())
        await rig.ended(one)

    assert {"arm_endpoints", "lines_of"} & set(rig.outage.calls) == set()
