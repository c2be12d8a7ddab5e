"""Deliveries from the store to the receiver and back (BB-01, 03, 05, 06, 07, 08, 14, 26, 42, 64)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ringback.egress import EgressPolicy
from ringback.webhooks import new_secret
from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import NewSecret, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, new_secret_id
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Held, Redirect
from tests.conformance.store.ageing import changed
from tests.notifier.conftest import BODY, Rig
from tests.receiver import Receiver
from tests.waiting import eventually


async def test_delivery_arrives_signed_and_byte_for_byte(rig: Rig, receiver: Receiver) -> None:
    """The receiver gets the event's own bytes, its id, and a signature that its tenant's secret verifies."""
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    (request,) = receiver.requests
    assert request.verify(await rig.secrets()).body == BODY
    assert request.webhook_id == detail.delivery.event_id


async def test_delivery_is_done_after_one_attempt_when_the_receiver_says_204(rig: Rig, receiver: Receiver) -> None:
    """A 2xx without a body is a success like any (BB-01)."""
    receiver.script(Answer(204))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    assert detail.delivery.state == DeliveryState.DELIVERED
    assert [(attempt.verdict, attempt.status) for attempt in detail.attempts] == [(Verdict.DELIVERED, 204)]


async def test_third_try_succeeds_with_the_same_id_and_bytes(rig: Rig, receiver: Receiver) -> None:
    """Three requests are one webhook, each verified by itself (BB-06)."""
    receiver.script(Answer(500), Answer(503))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    assert [attempt.status for attempt in detail.attempts] == [500, 503, 200]
    assert {(request.webhook_id, request.body) for request in receiver.requests} == {(detail.delivery.event_id, BODY)}
    secrets = await rig.secrets()
    assert [request.verify(secrets).id for request in receiver.requests] == [detail.delivery.event_id] * 3


async def test_delivery_is_exhausted_after_all_its_attempts(rig: Rig, receiver: Receiver) -> None:
    """A schedule of two delays makes three attempts, and no fourth (BB-07)."""
    receiver.always(Answer(500))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)
        # whatever else is due would be sent by the time that a later delivery has gone its whole way
        (later,) = await rig.deliver(receiver.url("/later"))
        await rig.ended(later)

    assert (detail.delivery.state, len(receiver.to("/hook"))) == (DeliveryState.EXHAUSTED, 3)
    assert detail.attempts[-1].reason == "500 Internal Server Error; that was the last of 3 attempts"


async def test_retries_are_never_early(rig: Rig, receiver: Receiver) -> None:
    """Between two tries there is at least what the schedule says."""
    receiver.script(Answer(500), Answer(500))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier(schedule_s=(0.2, 0.4)):
        await rig.ended(delivery_id)

    first, second, third = (request.at for request in receiver.requests)
    assert second - first >= 0.2
    assert third - second >= 0.4


async def test_retry_waits_as_long_as_the_receiver_asked(rig: Rig, receiver: Receiver) -> None:
    """Retry-After outweighs a shorter schedule, and little more than that time passes (BB-08)."""
    receiver.script(Answer(429, {"Retry-After": "1"}))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    first, second = (request.at for request in receiver.requests)
    assert 1.0 <= second - first < 1.2 + 0.3
    assert "because it asked so (Retry-After: 1)" in detail.attempts[0].reason


async def test_410_ends_that_delivery_and_no_other(rig: Rig, receiver: Receiver) -> None:
    """Gone for one callback URL says nothing of others (BB-03)."""
    receiver.always(Answer(410), path="/gone")
    gone, other = await rig.deliver(receiver.url("/gone"), receiver.url("/other"))

    async with rig.notifier():
        ended, delivered = await rig.ended(gone), await rig.ended(other)

    assert (ended.delivery.state, len(ended.attempts)) == (DeliveryState.EXHAUSTED, 1)
    assert ended.attempts[0].verdict == Verdict.GONE
    assert delivered.delivery.state == DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [300, 304])
async def test_answer_of_the_3xx_kind_is_tried_again(rig: Rig, receiver: Receiver, status: int) -> None:
    """Not only redirects proper (BB-05)."""
    receiver.script(Answer(status))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    assert [attempt.verdict for attempt in detail.attempts] == [Verdict.REDIRECT, Verdict.DELIVERED]


async def test_redirect_is_recorded_with_its_target(rig: Rig, receiver: Receiver) -> None:
    """The owner sees where his receiver pointed (BB-04)."""
    receiver.script(Redirect(307, location="https://new.example/hook"))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        detail = await rig.ended(delivery_id)

    assert "307 Temporary Redirect to https://new.example/hook, which is not followed" in detail.attempts[0].reason


async def test_attempt_keeps_timing_address_and_first_bytes(rig: Rig, receiver: Receiver) -> None:
    """Support can answer what happened."""
    receiver.script(Answer(200, body=b"\x00\xff binary"))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        (attempt,) = (await rig.ended(delivery_id)).attempts

    assert (attempt.attempt, attempt.remote_address, attempt.response_prefix) == (1, "127.0.0.1", b"\x00\xff binary")
    assert attempt.timing.connect_s is not None
    assert attempt.timing.first_byte_s is not None
    assert attempt.timing.first_byte_s <= attempt.timing.total_s


async def test_private_address_is_refused_at_delivery_too(rig: Rig, receiver: Receiver) -> None:
    """Whatever was let in when the job came, nothing is sent where the policy does not allow (BB-42)."""
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier(policy=EgressPolicy()):
        detail = await rig.ended(delivery_id)

    assert {attempt.verdict for attempt in detail.attempts} == {Verdict.REFUSED_ADDRESS}
    assert receiver.connections == 0


async def test_delivery_that_was_not_announced_is_found_by_polling(rig: Rig, receiver: Receiver) -> None:
    """A lost envelope costs a poll, not a webhook."""
    (delivery_id,) = await rig.deliver(receiver.url(), is_announced=False)

    async with rig.notifier():
        await rig.ended(delivery_id)

    assert rig.counts.sources == ["poll"]


async def test_no_more_deliveries_are_in_flight_than_allowed(rig: Rig, receiver: Receiver) -> None:
    """The rest waits in the store, claimed by nobody."""
    gate = asyncio.Event()
    receiver.always(Held(gate))
    ids = await rig.deliver(*[receiver.url(f"/{number}") for number in range(6)])

    async with rig.notifier(concurrency=2) as notifier:
        await receiver.wait_for(2)
        states = [(await rig.delivery(one)).delivery.state.value for one in ids]
        in_flight = notifier.in_flight
        gate.set()
        await asyncio.gather(*[rig.ended(one) for one in ids])

    assert (sorted(states), in_flight) == (["pending"] * 4 + ["sending"] * 2, 2)


async def test_redelivery_sends_the_same_webhook_again(rig: Rig, receiver: Receiver) -> None:
    """A resend by hand has the same id and bytes, and a fresh schedule (BB-26)."""
    receiver.script(Answer(500), Answer(500), Answer(500), Answer(500))
    (delivery_id,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        await rig.when(delivery_id, "exhausted")
        await rig.store.redeliver(DEFAULT_TENANT, delivery_id)
        detail = await rig.when(delivery_id, "delivered")

    assert [attempt.attempt for attempt in detail.attempts] == [1, 2, 3, 4, 5]
    assert {(request.webhook_id, request.body) for request in receiver.requests} == {(detail.delivery.event_id, BODY)}
    assert "." not in detail.delivery.event_id


async def test_failures_of_receivers_are_no_failures_of_ours(rig: Rig, receiver: Receiver) -> None:
    """Many failing deliveries end as exhausted rows; the notifier goes on (BB-64)."""
    receiver.always(Answer(500))
    ids = await rig.deliver(*[receiver.url("/bad") for _ in range(100)])

    async with rig.notifier(schedule_s=(0.0,), concurrency=64):
        details = await asyncio.gather(*[rig.ended(one, within_s=30) for one in ids])
        receiver.always(Answer(200))
        (good,) = await rig.deliver(receiver.url("/good"))
        assert (await rig.ended(good)).delivery.state == DeliveryState.DELIVERED

    assert {(detail.delivery.state, len(detail.attempts)) for detail in details} == {(DeliveryState.EXHAUSTED, 2)}


async def test_rotated_secret_signs_within_seconds(rig: Rig, receiver: Receiver) -> None:
    """Old and new secret both verify what is sent after a rotation."""
    (old,) = await rig.secrets()
    new = new_secret()

    async with rig.notifier():
        (first,) = await rig.deliver(receiver.url("/first"))
        await rig.ended(first)
        expire_at = datetime.now(UTC) + timedelta(hours=1)
        await rig.store.rotate_signing_secret(
            DEFAULT_TENANT, NewSecret(new_secret_id(), new, SigningScheme.V1), expire_at
        )

        async def both() -> bool:
            (delivery_id,) = await rig.deliver(receiver.url())
            await rig.ended(delivery_id)
            return len(receiver.requests[-1].header("webhook-signature").split(" ")) == 2

        await eventually(both, within_s=10, what="a webhook signed with two secrets")

    last = receiver.requests[-1]
    assert (last.verify(old).id, last.verify(new).id) == (last.webhook_id, last.webhook_id)


async def test_hanging_receiver_does_not_delay_another(rig: Rig, receiver: Receiver) -> None:
    """While there is room, a slow receiver costs the others nothing."""
    receiver.always(Hang(), path="/slow")
    slow, quick = await rig.deliver(receiver.url("/slow"), receiver.url("/quick"))

    async with rig.notifier(schedule_s=(), grace_s=0):
        assert (await rig.ended(quick, within_s=2)).delivery.state == DeliveryState.DELIVERED
        assert (await rig.delivery(slow)).delivery.state == DeliveryState.SENDING


async def test_callback_that_cannot_be_read_is_a_refusal_like_any(rig: Rig, receiver: Receiver) -> None:
    """What was stored long ago may not be what is accepted today; the others are delivered."""
    (spoilt,) = await rig.deliver(receiver.url())
    await changed(rig.url, "delivery_targets", url="http://[broken")
    (fine,) = await rig.deliver(receiver.url())

    async with rig.notifier():
        details = [await rig.ended(one) for one in (spoilt, fine)]

    assert [one.delivery.state for one in details] == [DeliveryState.EXHAUSTED, DeliveryState.DELIVERED]
    assert {one.verdict for one in details[0].attempts} == {Verdict.REFUSED_ADDRESS}
