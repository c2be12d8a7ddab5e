"""The pull feed, for receivers that were down (BB-83)."""

from pathlib import Path

from tests.answers import Answer
from tests.blackbox.conftest import SETTINGS, world_of
from tests.blackbox.world import World
from tests.faults.fleet import API_KEY, Fleet, FleetPlan


async def test_feed_has_every_event_once_after_an_outage(world: World) -> None:
    """BB-83: of a receiver that took nothing, in the order in which jobs ended."""
    world.receiver.always(Answer(500))
    jobs = []
    for number in range(7):
        jobs.append(await world.ring(number))
        await world.client.wait(jobs[-1])

    assert await _read(world, "", limit=3) == (jobs, await _last(world))


async def test_cursor_is_good_over_a_kill(tmp_path: Path) -> None:
    """BB-83: whoever goes on from where they were gets what came after, and nothing twice."""
    plan = FleetPlan("", "", is_embedded=True, settings=SETTINGS)
    async with Fleet(plan, tmp_path) as fleet, world_of(fleet.urls[0], API_KEY) as world:
        (process,) = fleet.processes
        before = [await _done(world, number) for number in range(3)]
        first, cursor = await _read(world, "", limit=2)
        await process.kill()
        await process.start()
        await fleet.ready(fleet.urls[0])
        after = [await _done(world, number) for number in range(3)]
        second, _ = await _read(world, cursor, limit=2)

    assert (first, second) == (before, after)


async def _done(world: World, number: int) -> str:
    """A job that is done; its id."""
    job = await world.event(number)
    await world.client.wait(job)
    return job


async def _read(world: World, cursor: str, *, limit: int) -> tuple[list[str], str]:
    """The jobs of all events behind that cursor, page by page, and where to go on."""
    jobs: list[str] = []
    while True:
        query = {"limit": limit} | ({"after": cursor} if cursor else {})
        page = (await world.call("GET", "/v1/events", params=query)).body
        jobs += [event["job_id"] for event in page["items"]]
        cursor = page["next"]
        if not page["has_more"]:
            return jobs, cursor


async def _last(world: World) -> str:
    """Where the feed ends now."""
    cursor: str = (await world.call("GET", "/v1/events", params={"limit": 200})).body["next"]
    return cursor
