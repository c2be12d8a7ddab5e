"""Endpoints that are gone, fail or are given up, and who is told (BB-02, BB-07, BB-79)."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.answers import Answer
from tests.blackbox.conftest import service_in
from tests.blackbox.world import World
from tests.waiting import eventually

LOOPBACK = [ip_network("127.0.0.0/8")]
THRESHOLD = 5


async def told(world: World, count: int) -> list[dict[str, Any]]:
    """So many operational events, as they came to whoever watches."""
    await eventually(lambda: len(world.receiver.to("/watch")) >= count, within_s=30, what=f"{count} events")
    return [request.json() for request in world.receiver.to("/watch")]


async def watch(world: World) -> None:
    """Register somebody who asks for all of them."""
    await world.register(url=world.receiver.url("/watch"), events=["endpoint.*", "delivery.*"])


async def test_410_is_told(world: World) -> None:
    """BB-02: that the delivery ended, and that the endpoint is disabled, with the reason."""
    await watch(world)
    world.receiver.always(Answer(410), path="/gone")
    endpoint = await world.register(url=world.receiver.url("/gone"), events=["job.*"])

    await world.event()

    by_type = {event["type"]: event["data"] for event in await told(world, 2)}
    assert (by_type["delivery.exhausted"]["verdict"], by_type["delivery.exhausted"]["status"]) == ("gone", 410)
    assert by_type["endpoint.disabled"]["endpoint_id"] == endpoint.id
    assert by_type["endpoint.disabled"]["disabled_reason"] == "gone"


async def test_end_of_a_schedule_is_told(world: World) -> None:
    """BB-07: always 500, as many attempts as configured, then one event that says so."""
    await watch(world)
    world.receiver.always(Answer(500), path="/bad")
    job_id = await world.ring(url=world.receiver.url("/bad"))

    (event,) = await told(world, 1)

    assert (event["type"], event["data"]["job_id"]) == ("delivery.exhausted", job_id)
    assert (event["data"]["attempts"], event["data"]["verdict"]) == (3, "server_error")


async def test_success_sets_the_count_to_disable_back(tmp_path: Path) -> None:
    """BB-79: the threshold less one, one success, as many failures again: enabled; with one more it is not."""
    settings = {"disable_after_failures": THRESHOLD, "disable_after_s": 0, "retry_schedule": []}
    async with service_in(tmp_path, callback_allow=LOOPBACK, **settings) as world:
        endpoint = await world.register(events=["job.*"])
        failures = [Answer(500)] * (THRESHOLD - 1)
        world.receiver.script(*failures, Answer(200), *failures, Answer(500))

        for _ in range(2 * THRESHOLD - 1):
            await world.ended(await world.event())
        before = await world.client.endpoints.get(endpoint.id)
        await world.ended(await world.event())
        after = await world.client.endpoints.get(endpoint.id)

    assert (before.enabled, before.failures_in_row) == (True, THRESHOLD - 1)
    assert (after.enabled, after.disabled_reason) == (False, "failing")
