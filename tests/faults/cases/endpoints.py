"""Registered endpoints and replays, while the processes that serve them are killed."""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import groupby, pairwise

from ringback.client import Client
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import DeliveryBody, EndpointBody
from ringback_schemas.states import DeliveryState
from tests.faults.fleet import API_KEY, settle
from tests.faults.inbox import Inbox
from tests.faults.process import FleetProcess
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

WITHIN_S = 120.0
"""Nothing but a bound: a line stands still for as long as a dead notifier's lease, each time that one is killed."""
REPLAYED = 4_000
"""Twice as many as a replay makes due at once, so that it has to go on when notifiers have sent some."""
UNDONE = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRYING)


async def fan_out(stage: Stage) -> None:
    """Two endpoints get every event under its own id, one of them in the order of the feed, over kills of all roles."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(stage.fleet.urls[0], API_KEY))
        plain, line = [await stack.enter_async_context(Inbox(refuse_share=0.02, seed=n)) for n in range(2)]
        await _register(client, plain)
        await _register(client, line, is_fifo=True)
        await stage.load(20)
        for front in stage.fleet.apis:
            await _kill_in_turn(stage, [*stage.fleet.notifiers, *stage.fleet.workers, front])
        await stage.loaded(stop=True)
        for inbox, name in ((plain, "an endpoint"), (line, "an endpoint that takes one at a time")):
            await _until_all_came(stage, inbox, name)
            _judge(inbox, stage.inbox)
        _judge_line(line.taken_order, [event.id async for event in client.events()])


async def gone_and_back(stage: Stage) -> None:
    """An endpoint says 410 and is enabled again, each time while a notifier dies: it gets all that was meant for it."""
    async with Client(stage.fleet.urls[0], API_KEY) as client, Inbox() as inbox:
        endpoint = await _register(client, inbox)
        await stage.load(40)
        for _ in range(2):
            await settle(2)
            inbox.is_down, inbox.refusal = True, 410
            await stage.fleet.notifiers[0].kill()
            await eventually(lambda: _is_disabled(client, endpoint), within_s=WITHIN_S, what="a 410 to disable it")
            await stage.fleet.revive(stage.fleet.notifiers[0])
            inbox.is_down = False
            await asyncio.gather(client.endpoints.enable(endpoint.id), stage.fleet.notifiers[1].kill())
            await stage.fleet.revive(stage.fleet.notifiers[1])
            stage.faults += 3
        await settle(2)
        await stage.loaded(stop=True)
        await eventually(lambda: _rests(client), within_s=WITHIN_S, what="all deliveries to end")
        made = [one async for one in client.all_deliveries() if one.endpoint_id == endpoint.id]
        refused = [await client.delivery(one.id) for one in made if one.state is not DeliveryState.DELIVERED]
    _judge(inbox, stage.inbox)
    stage.notes |= {"meant_for_it": len(made), "ended_by_410": len(refused)}
    missed = {one.event_id for one in made if one.state is DeliveryState.DELIVERED} - inbox.taken
    if missed or not all(_is_gone(one) for one in refused):
        raise AssertionError(f"missed {missed}, not delivered and not gone: {[one.id for one in refused]}")


async def replayed_over_kills(stage: Stage) -> None:
    """A receiver says 410 to all by mistake; a replay makes up for it while notifiers and front ends are killed."""
    stage.inbox.is_down, stage.inbox.refusal = True, 410
    await stage.load(200, REPLAYED)
    await stage.loaded()
    async with Client(stage.fleet.urls[0], API_KEY) as client:
        await eventually(lambda: _rests(client), within_s=WITHIN_S, what="all to be exhausted")
        stage.inbox.is_down = False
        replay_id = (await client.replays.start()).id
        came_to = [await _cut_short(stage, client, replay_id, front) for front in stage.fleet.apis]
        done = await client.replays.wait(replay_id, timeout_s=WITHIN_S)
    stage.notes |= {f"at_kill_{number}": redelivered for number, redelivered in enumerate(came_to, 1)}
    if came_to[0] == REPLAYED:
        raise AssertionError("the replay was over before it could be cut short")
    if (done.matched, done.redelivered, done.skipped.changed) != (REPLAYED, REPLAYED, 0):
        raise AssertionError(f"the replay of {REPLAYED} ended as {done!r}")


async def _register(client: Client, inbox: Inbox, *, is_fifo: bool = False) -> EndpointBody:
    """An endpoint at that inbox, which trusts its secret."""
    endpoint = await client.endpoints.create(f"{inbox.url}/hook", is_fifo=is_fifo)
    inbox.trust([one.secret for one in await client.secrets.show(endpoint.id) if one.secret])
    return endpoint


async def _kill_in_turn(stage: Stage, victims: Sequence[FleetProcess]) -> None:
    for victim in victims:
        await settle(1)
        await victim.kill()
        stage.faults += 1
        await stage.fleet.revive(victim)


async def _until_all_came(stage: Stage, inbox: Inbox, name: str) -> None:
    wanted = {job_id for entry in stage.driver.ledger.accepted for job_id in entry.job_ids}

    def have_come() -> bool:
        return all(box.has_taken(job_id) for box in (stage.inbox, inbox) for job_id in wanted)

    await eventually(have_come, within_s=WITHIN_S, what=f"all events to come to {name}")


def _judge(inbox: Inbox, callbacks: Inbox) -> None:
    """What came to an endpoint is what came to the jobs' own callbacks: the same ids, and the same bytes."""
    strange = [
        webhook_id
        for webhook_id, arrival in inbox.arrivals.items()
        if webhook_id not in callbacks.arrivals or arrival.bodies != callbacks.arrivals[webhook_id].bodies
    ]
    if strange or inbox.wrong_signatures:
        raise AssertionError(f"not as the callbacks had it: {strange[:5]}; signatures {inbox.wrong_signatures[:5]}")


def _judge_line(taken: Sequence[str], feed: Sequence[str]) -> None:
    """Events were taken in the order of the feed; one came again, if at all, before the next one did."""
    places = {event: place for place, event in enumerate(feed)}
    in_line = [places[event] for event, _ in groupby(taken)]
    swaps = [pair for pair in pairwise(in_line) if pair[0] >= pair[1]]
    if swaps:
        raise AssertionError(f"out of line, by their places in the feed: {swaps[:5]}")


async def _cut_short(stage: Stage, client: Client, replay_id: str, front: FleetProcess) -> int:
    """Kill both notifiers and a front end as soon as the replay has gone on; how many it had redelivered then."""
    before = (await client.replays.get(replay_id)).redelivered

    async def goes_on() -> bool:
        seen = await client.replays.get(replay_id)
        return seen.done or seen.redelivered > before

    await eventually(goes_on, within_s=WITHIN_S, what="the replay to go on")
    for victim in (*stage.fleet.notifiers, front):
        victim.signal(signal.SIGKILL)
        stage.faults += 1
    await stage.fleet.revive(front)
    came_to = (await client.replays.get(replay_id)).redelivered
    for notifier in stage.fleet.notifiers:
        await stage.fleet.revive(notifier)
    return came_to


async def _is_disabled(client: Client, endpoint: EndpointBody) -> bool:
    return not (await client.endpoints.get(endpoint.id)).enabled


async def _rests(client: Client) -> bool:
    """Whether nothing is to be sent any more."""
    return not [one async for one in client.all_deliveries(state=UNDONE)]


def _is_gone(delivery: DeliveryBody) -> bool:
    """Whether a 410 ended it."""
    told = [attempt.verdict for attempt in delivery.attempts or []]
    return delivery.state is DeliveryState.EXHAUSTED and told[-1:] == [Verdict.GONE]


ENDPOINT_CASES = (
    Case("BB-77", "endpoints get every event, one of them in line, while all roles are killed", fan_out,
         workers=1, settle_s=60),
    Case("BB-02+BB-18", "endpoint gone and enabled again, twice, while notifiers are killed", gone_and_back,
         settle_s=60),
    Case("BB-74", f"{REPLAYED:,} replayed while notifiers and front ends are killed", replayed_over_kills,
         refuse_share=0.0, settle_s=60),
)  # fmt: skip
