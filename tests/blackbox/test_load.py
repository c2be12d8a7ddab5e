"""Many jobs at once; the larger loads are benchmarks (BB-87)."""

import asyncio
import math
import time

import pytest

from tests.blackbox.world import World

RATE_PER_S = 100
SECONDS = 30
ARRIVES_WITHIN_S = 5.0


@pytest.mark.timeout(180)
async def test_hundred_jobs_a_second_are_all_delivered(world: World) -> None:
    """BB-87: for half a minute; each verified, and 95 of 100 within half a second from publish to arrival."""
    started = time.monotonic()
    sent_at: dict[str, float] = {}

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, started + number / RATE_PER_S - time.monotonic()))
        asked_at = time.monotonic()
        sent_at[await world.ring(number)] = asked_at

    await asyncio.gather(*[one(number) for number in range(RATE_PER_S * SECONDS)])
    requests = await world.receiver.wait_for(RATE_PER_S * SECONDS, within_s=60)
    secrets = await world.client.signing_secrets()

    arrived_at = {request.verify(secrets).json()["data"]["id"]: request.at for request in requests}
    assert arrived_at.keys() == sent_at.keys()
    assert _p95([arrived_at[job] - asked_at for job, asked_at in sent_at.items()]) < ARRIVES_WITHIN_S


def _p95(latencies_s: list[float]) -> float:
    return sorted(latencies_s)[math.ceil(len(latencies_s) * 0.95) - 1]
