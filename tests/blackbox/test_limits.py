"""What an endpoint may say about how it is sent to (BB-76, BB-77)."""

import asyncio

import pytest

from tests.answers import Answer
from tests.blackbox.world import World

RATE_PER_S = 10
QUEUED = 200
SLACK_S = 0.05
"""A request may be read a little later than the one before it: the rate is kept where it is sent."""


@pytest.mark.timeout(120)
async def test_rate_of_an_endpoint_is_kept_and_used(world: World) -> None:
    """BB-76: never more than ten in any second, and all 200 in 20 s, give or take two."""
    await world.register(rate_limit_per_s=RATE_PER_S)
    await asyncio.gather(*[world.event(number) for number in range(QUEUED)])

    requests = await world.receiver.wait_for(QUEUED, within_s=60)

    times = [request.at for request in requests]
    assert min(later - earlier for earlier, later in zip(times, times[RATE_PER_S:], strict=False)) >= 1 - SLACK_S
    assert 18 <= times[-1] - times[0] <= 22


async def test_fifo_endpoint_gets_events_in_order(world: World) -> None:
    """BB-77: the second of five fails twice; nothing overtakes it."""
    world.receiver.script(Answer(200), Answer(500), Answer(500))
    await world.register(is_fifo=True)
    for number in range(1, 6):
        await world.client.wait(await world.event(number))

    requests = await world.arrivals(7)

    assert [request.json()["data"]["result"] for request in requests] == [1, 2, 2, 2, 3, 4, 5]
