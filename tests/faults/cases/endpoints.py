"""Registered endpoints and replays, while the processes that serve them are killed."""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

import asyncpg

from ringback.client import Client
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import DeliveryBody, EndpointBody
from ringback_schemas.states import DeliveryState
from tests.faults.endpoint_oracle import judge_copies, judge_line, judge_missing, judge_refused, judge_replayed
from tests.faults.fleet import API_KEY, settle
from tests.faults.inbox import Inbox
from tests.faults.process import FleetProcess
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

WITHIN_S = 120.0
"""Nothing but a bound: a line stands still for as long as a dead notifier's lease, each time that one is killed."""
REPLAYED = 4_000
"""Twice as many as a replay makes due at once, so that it has to go on when notifiers have sent some."""
ROUNDS = 2
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
            judge_copies(inbox, stage.inbox)
        judge_line(line.taken_order, [event.id async for event in client.events()])


async def gone_and_back(stage: Stage) -> None:
    """An endpoint says 410 and is enabled again, each time while a notifier dies: it gets all that was meant for it."""
    async with Client(stage.fleet.urls[0], API_KEY) as client, Inbox() as inbox:
        endpoint = await _register(client, inbox)
        await stage.load(40)
        for _ in range(ROUNDS):
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
        doubtful = [one for one in made if one.state is not DeliveryState.DELIVERED or one.event_id in inbox.refused]
        refused = [await client.delivery(one.id) for one in doubtful]
        feed = [event async for event in client.events()]
    judge_copies(inbox, stage.inbox)
    judge_missing(feed, {one.event_id for one in made})
    ended = [one for one in refused if one.state is not DeliveryState.DELIVERED]
    stage.notes |= {"meant_for_it": len(made), "ended_by_410": len(ended), "given_410": inbox.refused.total()}
    missed = {one.event_id for one in made if one.state is DeliveryState.DELIVERED} - inbox.taken
    if missed or not all(_is_gone(one) for one in ended):
        raise AssertionError(f"missed {missed}, not delivered and not gone: {[one.id for one in ended]}")
    if len(ended) < ROUNDS:
        raise AssertionError(f"{len(ended)} of {len(made)} deliveries were ended by a 410, in {ROUNDS} rounds")
    judge_refused(inbox.refused, refused)


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
        await eventually(lambda: _rests(client), within_s=WITHIN_S, what="all that was replayed to come to rest")
    stage.notes |= {f"at_kill_{number}": redelivered for number, redelivered in enumerate(came_to, 1)}
    if max(came_to) >= REPLAYED:
        raise AssertionError(f"the replay was over when it was to be cut short: it had come to {came_to}")
    if (done.matched, done.redelivered, done.skipped.changed) != (REPLAYED, REPLAYED, 0):
        raise AssertionError(f"the replay of {REPLAYED} ended as {done!r}")
    attempts = await _attempts(stage)
    if len(attempts) != REPLAYED:
        raise AssertionError(f"{len(attempts)} of {REPLAYED} events have attempts")
    judge_replayed(attempts, stage.inbox)


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


async def _attempts(stage: Stage) -> Mapping[str, Sequence[str]]:
    """The verdicts of all attempts by event, in order; from the rows, for thousands of requests would take minutes."""
    connection = await asyncpg.connect(stage.database_url)
    try:
        rows = await connection.fetch(
            "SELECT t.event_id, a.verdict FROM delivery_attempts a JOIN delivery_targets t USING (delivery_id) "
            "ORDER BY a.delivery_id, a.attempt"
        )
    finally:
        await connection.close()
    verdicts: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        verdicts[row["event_id"]].append(row["verdict"])
    return verdicts


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
