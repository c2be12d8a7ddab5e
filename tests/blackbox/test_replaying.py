"""Sending many webhooks again (BB-74, BB-75)."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ringback_schemas.http import ReplayBody
from ringback_schemas.states import DeliveryState
from tests.answers import Answer
from tests.blackbox.conftest import SETTINGS, world_of
from tests.blackbox.world import World, attempts_of
from tests.faults.fleet import API_KEY, Fleet, FleetPlan
from tests.waiting import eventually

ENDPOINTS, EVENTS = 73, 137
"""10,001 deliveries together."""

UNDONE = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.RETRYING)

QUICK_LEASE = {"HEARTBEAT_S": "0.5", "LEASE_S": "2", "RESCUE_EVERY_S": "0.5"}


async def replay(world: World, **request: Any) -> str:
    """Ask for a replay; its id."""
    reply = await world.call("POST", "/v1/replays", json=request)
    assert reply.status == 202, reply.body
    replay_id: str = reply.body["id"]
    return replay_id


async def shown(world: World, replay_id: str) -> ReplayBody:
    """The replay as it is now."""
    return ReplayBody.model_validate((await world.call("GET", f"/v1/replays/{replay_id}")).body)


async def done(world: World, replay_id: str) -> ReplayBody:
    """The replay, once it is done."""
    await eventually(lambda: _is_done(world, replay_id), within_s=120, what=f"{replay_id} to be done")
    return await shown(world, replay_id)


async def test_dry_run_counts_what_the_real_one_sends(world: World) -> None:
    """BB-75: and sends nothing itself."""
    world.receiver.always(Answer(500))
    jobs = [await world.ring(number) for number in range(7)]
    for job in jobs:
        await world.ended(job)
    world.receiver.always(Answer(200))
    sent_before = len(world.receiver.requests)

    dry = await done(world, await replay(world, dry_run=True))
    real = await done(world, await replay(world))
    deliveries = [await world.ended(job) for job in jobs]

    assert (dry.matched, dry.redelivered, real.redelivered) == (7, 0, 7)
    assert len(world.receiver.requests) == sent_before + 7
    assert {attempts_of(one)[-1].verdict for one in deliveries} == {"delivered"}


async def test_fresh_webhook_does_not_queue_behind_a_replay(world: World) -> None:
    """An endpoint that takes twenty a second, and sixty that it is to have again."""
    await world.register(rate_limit_per_s=20)
    for job in [await world.event(number) for number in range(60)]:
        await world.ended(job)
    replayed = await done(world, await replay(world, filter={"states": ["delivered"]}))

    fresh = await world.event("fresh")
    requests = await world.arrivals(60 + 60 + 1)
    event_id = (await world.ended(fresh)).event_id

    assert replayed.redelivered == 60
    assert event_id in {request.webhook_id for request in requests}
    assert requests[-1].webhook_id != event_id, "it came after all the others"


@pytest.mark.timeout(300)
async def test_replay_of_10001_survives_a_kill(tmp_path: Path) -> None:
    """BB-74: killed halfway it goes on by itself; each is made due once, and what was in flight may come twice."""
    plan = FleetPlan("", "", is_embedded=True, settings={**SETTINGS, **QUICK_LEASE, "LOG_LEVEL": "error"})
    async with Fleet(plan, tmp_path) as fleet, world_of(fleet.urls[0], API_KEY) as world:
        (process,) = fleet.processes
        for number in range(ENDPOINTS):
            await world.register(url=world.receiver.url(f"/{number}"))
        await asyncio.gather(*[world.event(number) for number in range(EVENTS)])
        total = ENDPOINTS * EVENTS
        await world.receiver.wait_for(total, within_s=120)
        await eventually(lambda: _all_delivered(world, total), within_s=60, what="everything is recorded")

        replay_id = await replay(world, filter={"states": ["delivered"]})
        halfway = await eventually(lambda: _begun(world, replay_id), within_s=60, what="the replay goes on")
        await process.kill()
        await process.start()
        await fleet.ready(fleet.urls[0])
        after = await done(world, replay_id)
        arrived = await eventually(lambda: _twice(world, total), within_s=120, what="each event once more")

    assert halfway
    assert arrived is not None
    assert (after.matched, after.redelivered, after.skipped.changed) == (total, total, 0)
    assert sum(arrived.values()) - 2 * total <= int(SETTINGS.get("DELIVERY_CONCURRENCY", "128"))


async def _is_done(world: World, replay_id: str) -> bool:
    return (await shown(world, replay_id)).done


async def _begun(world: World, replay_id: str) -> bool:
    seen = await shown(world, replay_id)
    assert not seen.done, "it was over before it could be killed"
    return seen.redelivered >= 1_000


async def _all_delivered(world: World, count: int) -> bool:
    waiting = [one async for one in world.client.all_deliveries(state=UNDONE)]
    return not waiting and len(world.receiver.requests) >= count


async def _twice(world: World, total: int) -> Counter[str] | None:
    """How often each delivery arrived, once all came twice: by event and path."""
    counts = Counter(f"{one.webhook_id} {one.target}" for one in world.receiver.requests)
    return counts if len(counts) == total and min(counts.values()) >= 2 else None
