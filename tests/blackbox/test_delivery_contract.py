"""The contract of delivery: what is a success, what is tried again, when, and for how long (BB-01 to BB-18)."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from ringback_schemas.http import AttemptBody
from tests.answers import Answer, Held, Redirect
from tests.blackbox.conftest import service_in
from tests.blackbox.world import SCHEDULE_S, WITHIN_S, World, attempts_of
from tests.receiver import Receiver

ATTEMPTS = len(SCHEDULE_S) + 1
SLACK_S = 0.3
"""From the end of an attempt to its record."""


def waits_s(attempt: AttemptBody) -> float:
    """Seconds from the end of an attempt to the next one."""
    assert attempt.next_attempt_at is not None
    ended_at = attempt.started_at + timedelta(seconds=attempt.duration.total_s)
    return (attempt.next_attempt_at - ended_at).total_seconds()


async def test_204_is_delivered_by_one_attempt(world: World) -> None:
    """BB-01: a 2xx without a body is a success like any."""
    world.receiver.always(Answer(204))

    delivery = await world.ended(await world.ring())

    assert (delivery.state, [one.status for one in attempts_of(delivery)]) == ("delivered", [204])


async def test_410_ends_the_delivery_and_disables_the_endpoint(world: World) -> None:
    """BB-02: gone is the last word of a registered receiver."""
    world.receiver.always(Answer(410))
    endpoint = await world.register()

    delivery = await world.ended(await world.event())
    seen = await world.disabled(endpoint.id)

    assert (delivery.state, len(attempts_of(delivery))) == ("exhausted", 1)
    assert (seen.enabled, seen.disabled_reason) == (False, "gone")


async def test_410_of_a_callback_ends_that_delivery_alone(world: World) -> None:
    """BB-03: it says nothing of another URL, nor of the next job's."""
    world.receiver.script(Answer(410), path="/gone")
    gone, fine = await world.ring(url=world.receiver.url("/gone")), await world.ring()

    states = [(await world.ended(job)).state for job in (gone, fine)]
    again = await world.ended(await world.ring(url=world.receiver.url("/gone")))

    assert (states, again.state) == (["exhausted", "delivered"], "delivered")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_a_failure_and_not_followed(world: World, status: int) -> None:
    """BB-04: the second receiver gets nothing, and the attempt says where the first one pointed."""
    async with Receiver() as second:
        world.receiver.script(Redirect(status, location=second.url()))
        delivery = await world.ended(await world.ring())

    first, *_ = attempts_of(delivery)
    assert (first.verdict, first.status) == ("redirect", status)
    assert second.url() in first.reason
    assert second.connections == 0


@pytest.mark.parametrize("status", [300, 304])
async def test_3xx_without_a_location_is_tried_again(world: World, status: int) -> None:
    """BB-05: a failure like others."""
    world.receiver.script(Answer(status))

    delivery = await world.ended(await world.ring())

    assert [one.status for one in attempts_of(delivery)] == [status, 200]


async def test_third_try_has_the_same_id_and_a_fresh_signature(world: World) -> None:
    """BB-06: three attempts, one id, three times, three signatures."""
    in_a_second = Answer(500, {"Retry-After": "1"})
    world.receiver.script(in_a_second, in_a_second)
    await world.ring({"a": 1})

    tries = await world.arrivals(3)
    secrets = await world.client.signing_secrets()

    assert {one.verify(secrets).id for one in tries} == {tries[0].webhook_id}
    assert len({one.header("webhook-timestamp") for one in tries}) == 3
    assert len({one.header("webhook-signature") for one in tries}) == 3


async def test_delivery_is_exhausted_after_as_many_attempts_as_configured(world: World) -> None:
    """BB-07: and nothing comes in the two intervals after that."""
    world.receiver.always(Answer(500), path="/never")

    delivery = await world.ended(await world.ring(url=world.receiver.url("/never")))
    await world.intervals_pass()

    assert (delivery.state, len(world.receiver.to("/never"))) == ("exhausted", ATTEMPTS)


async def test_retry_waits_as_long_as_it_was_asked_to(world: World) -> None:
    """BB-08: not before 7 s, and not after 7 s and a fifth, by what the attempt says."""
    world.receiver.script(Answer(429, {"Retry-After": "7"}))

    attempt = await world.first_attempt(await world.ring())

    assert attempt.verdict == "rate_limited"
    assert 7 - SLACK_S / 10 <= waits_s(attempt) <= 8.4 + SLACK_S
    assert "Retry-After: 7" in attempt.reason


async def test_retry_comes_when_it_was_announced(world: World) -> None:
    """BB-08: what the attempt says is what happens."""
    world.receiver.script(Answer(429, {"Retry-After": "1"}))
    await world.ring()

    first, second = await world.arrivals(2)

    assert second.at - first.at >= 1


@pytest.mark.parametrize(
    "value",
    ["-1", "abc", "1e400", "9" * 30, "Wed, 21 Oct 2015 07:28:00 GMT", "", "7;7", "0x10"],
)
async def test_nonsense_in_retry_after_is_ignored(world: World, value: str) -> None:
    """BB-10: the own schedule holds, and nothing breaks."""
    world.receiver.script(Answer(503, {"Retry-After": value}))

    delivery = await world.ended(await world.ring())

    first, *_ = attempts_of(delivery)
    assert delivery.state == "delivered"
    assert SCHEDULE_S[0] - SLACK_S / 10 <= waits_s(first) <= SCHEDULE_S[0] * 1.2 + SLACK_S


async def test_retry_after_of_a_month_is_capped_at_a_day(world: World) -> None:
    """BB-11: and the attempt says so."""
    world.receiver.script(Answer(503, {"Retry-After": str(30 * 86_400)}))

    attempt = await world.first_attempt(await world.ring())

    assert 86_399 <= waits_s(attempt) <= 86_400 * 1.2 + 1
    assert "capped at 24 h" in attempt.reason


async def test_retries_of_many_are_spread_and_never_early(world: World) -> None:
    """BB-13: over the whole window of jitter, from the nominal time to a fifth after it.

    A long Retry-After makes the window wide beside what the machine adds.
    """
    world.receiver.always(Answer(503, {"Retry-After": "1000"}))
    jobs = await asyncio.gather(*[world.ring(url=world.receiver.url(f"/{number % 4}")) for number in range(200)])

    waits = [waits_s(await world.first_attempt(job)) for job in jobs]

    assert min(waits) >= 1000 - SLACK_S / 10
    assert max(waits) <= 1200 + SLACK_S
    assert min(waits) < 1030
    assert max(waits) > 1170


async def test_body_keeps_unicode_order_and_digits(world: World) -> None:
    """BB-14: what the task returned arrives as it was, and the signature is over those very bytes."""
    payload = '{"type":"demo.echo","payload":{"z":"żółć 🙂\\u0000","a":1,"big":123456789012345678901234567890,"e":1E2}}'
    body = json.loads(payload) | {"callback_url": world.receiver.url()}

    reply = await world.call("POST", "/v1/jobs", json=body)
    (request,) = await world.arrivals(1)

    assert reply.status == 202
    assert request.verify(await world.client.signing_secrets()).body == request.body
    assert list(request.json()["data"]["result"].items()) == list(json.loads(payload)["payload"].items())


async def test_retry_is_the_same_bytes_after_the_service_changed(tmp_path: Path) -> None:
    """BB-15: between two tries the service is started anew with another public URL, which every job's links show."""
    async with Receiver() as receiver:
        receiver.script(Answer(500, {"Retry-After": "2"}))
        opened = {"callback_allow": ["127.0.0.0/8"]}
        async with service_in(tmp_path, **opened, public_url="http://before.test") as world:
            await world.delivery(await world.ring({"a": 1}, url=receiver.url()), attempts=1)
        async with service_in(tmp_path, **opened, public_url="http://after.test"):
            first, second = await receiver.wait_for(2, within_s=WITHIN_S)

    assert (first.body, first.webhook_id) == (second.body, second.webhook_id)
    assert b"before.test" in first.body


async def test_deleted_endpoint_gets_no_more_attempts(world: World) -> None:
    """BB-17: what waited for it is cancelled."""
    world.receiver.script(Answer(500, {"Retry-After": "1"}))
    endpoint = await world.register()
    job = await world.event()
    await world.delivery(job, "retrying")

    await world.client.endpoints.delete(endpoint.id)
    delivery = await world.ended(job)
    await world.intervals_pass()

    assert (delivery.state, len(world.receiver.to("/hook"))) == ("cancelled", 1)


async def test_disabled_endpoint_ends_what_is_in_flight_and_parks_the_rest(world: World) -> None:
    """BB-18: the one under way finishes, none comes after it, and the retry waits visibly."""
    gate = asyncio.Event()
    world.receiver.always(Held(gate, Answer(500)), path="/hook")
    endpoint = await world.register()
    job = await world.event()
    await world.arrivals(1)

    await world.client.endpoints.disable(endpoint.id)
    gate.set()
    delivery = await world.delivery(job, attempts=1)
    await world.intervals_pass()

    assert (delivery.state, delivery.waits_for, delivery.next_attempt_at) == ("retrying", "endpoint_disabled", None)
    assert len(world.receiver.to("/hook")) == 1
