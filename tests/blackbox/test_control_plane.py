"""What clients and operators can do, and see (BB-70 to BB-86)."""

import asyncio

import pytest

from tests.answers import Answer
from tests.blackbox.conftest import Join
from tests.blackbox.world import World, attempts_of
from tests.receiver import Receiver

LATER = Answer(503, {"Retry-After": "3600"})


async def test_fifty_equal_requests_at_once_are_one_job(world: World) -> None:
    """BB-70: one key, one job, fifty equal answers."""
    job, key = {"type": "demo.echo", "payload": 1, "delay_s": 600}, {"Idempotency-Key": "once"}

    replies = await asyncio.gather(*[world.call("POST", "/v1/jobs", json=job, headers=key) for _ in range(50)])

    assert [reply.status for reply in replies] == [202] * 50
    assert all(reply.body == replies[0].body for reply in replies)
    assert [job.id async for job in world.client.jobs()] == [replies[0].body["id"]]


async def test_same_key_with_another_body_creates_nothing(world: World) -> None:
    """BB-71: and says so."""
    key = {"Idempotency-Key": "once"}
    first = await world.call("POST", "/v1/jobs", json={"type": "demo.echo", "payload": 1}, headers=key)
    second = await world.call("POST", "/v1/jobs", json={"type": "demo.echo", "payload": 2}, headers=key)

    assert (second.status, second.code) == (422, "idempotency-mismatch")
    assert [job.id async for job in world.client.jobs()] == [first.body["id"]]


async def test_resend_replaces_the_retry_that_waits(world: World) -> None:
    """BB-72: it is sent at once, and not a second time when the retry would have come."""
    world.receiver.script(Answer(503, {"Retry-After": "1"}))
    job = await world.ring()
    waiting = await world.delivery(job, "retrying")

    await world.client.redeliver(waiting.id)
    delivery = await world.delivery(job, "delivered")
    await world.intervals_pass()
    await world.intervals_pass()

    assert [one.status for one in attempts_of(delivery)] == [503, 200]
    assert len(world.receiver.to("/hook")) == 2


async def test_resend_to_a_disabled_endpoint_is_a_conflict(world: World) -> None:
    """BB-73: with the reason, and nothing is sent."""
    endpoint = await world.register()
    delivery = await world.ended(await world.event())
    await world.client.endpoints.disable(endpoint.id)

    reply = await world.call("POST", f"/v1/deliveries/{delivery.id}/redeliver")

    assert (reply.status, reply.code) == (409, "endpoint-disabled")
    assert "requested" in reply.body["detail"]
    assert len(world.receiver.requests) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/{job}"),
        ("GET", "/v1/jobs/{job}/result"),
        ("GET", "/v1/jobs/{job}/deliveries"),
        ("POST", "/v1/jobs/{job}/cancel"),
        ("GET", "/v1/deliveries/{delivery}"),
        ("POST", "/v1/deliveries/{delivery}/redeliver"),
        ("GET", "/v1/endpoints/{endpoint}"),
        ("PATCH", "/v1/endpoints/{endpoint}"),
        ("DELETE", "/v1/endpoints/{endpoint}"),
        ("POST", "/v1/endpoints/{endpoint}/test"),
        ("POST", "/v1/endpoints/{endpoint}/disable"),
        ("GET", "/v1/endpoints/{endpoint}/secret"),
        ("POST", "/v1/endpoints/{endpoint}/rotate-secret"),
    ],
)
async def test_another_tenants_id_is_a_404(join: Join, method: str, path: str) -> None:
    """BB-81: as if there were no such thing, and nothing happens to it."""
    owner, stranger = await join(), await join()
    endpoint = await owner.register()
    job = await owner.event()
    delivery = await owner.ended(job)
    known = {"job": job, "delivery": delivery.id, "endpoint": endpoint.id}

    reply = await stranger.call(method, path.format(**known), json=None if method == "GET" else {})

    untouched = await owner.client.endpoints.get(endpoint.id)
    assert reply.status == 404
    assert (untouched.enabled, untouched.updated_at) == (True, endpoint.updated_at)
    assert len(owner.receiver.requests) == 1


async def test_nothing_is_posted_without_consent(world: World) -> None:
    """BB-84: a 200 that grants nothing is no consent; the endpoint stays unverified."""
    endpoint = await world.register(needs_consent=True)

    delivery = await world.ended(await world.event())
    seen = await world.client.endpoints.get(endpoint.id)

    assert {one.verdict for one in attempts_of(delivery)} == {"no_consent"}
    assert {request.method for request in world.receiver.requests} == {"OPTIONS"}
    assert seen.consent == "withheld"


async def test_consent_lets_deliveries_through(world: World) -> None:
    """BB-84: granted once, and each POST then names the origin that was granted."""
    world.receiver.script(Answer(200, {"WebHook-Allowed-Origin": "ringback.test", "WebHook-Allowed-Rate": "*"}))
    await world.register(needs_consent=True)

    for _ in range(2):
        await world.ended(await world.event())
    asked, *posted = world.receiver.requests

    assert asked.header("webhook-request-origin") == "ringback.test"
    assert [(one.method, one.header("webhook-request-origin")) for one in posted] == [("POST", "ringback.test")] * 2


async def test_attempt_tells_what_happened(world: World) -> None:
    """BB-86: where the time went, whom it reached, what was answered, and what follows."""
    world.receiver.script(Answer(503, {"Retry-After": "7"}, b"\xff down for a moment"))

    attempt = await world.first_attempt(await world.ring(url=world.receiver.url(host="localhost")))

    timing = attempt.duration
    assert None not in {timing.dns_s, timing.connect_s, timing.first_byte_s}
    assert timing.total_s >= (timing.first_byte_s or 0)
    assert (attempt.attempt, attempt.status, attempt.remote_address) == (1, 503, "127.0.0.1")
    assert attempt.response_prefix == "\ufffd down for a moment"
    assert attempt.reason.startswith("503 Service Unavailable; again in ")
    assert "because it asked so (Retry-After: 7)" in attempt.reason


async def test_attempt_of_a_refused_connection_tells_how_far_it_came(world: World) -> None:
    """BB-86: a phase that was not reached is absent."""
    async with Receiver() as gone:
        url = gone.url()
    attempt = await world.first_attempt(await world.ring(url=url))

    assert (attempt.status, attempt.duration.first_byte_s) == (None, None)
    assert attempt.verdict == "connect_refused"
