"""Endpoints that must allow what they are sent before anything is."""

from ringback_schemas.deliveries import Verdict
from ringback_schemas.endpoints import Consent
from ringback_schemas.states import DeliveryState
from tests.answers import Answer
from tests.notifier.conftest import Rig
from tests.notifier.endpoints import GRANT, delivered, end_job, now_of, register
from tests.receiver import Receiver


async def test_consent_is_asked_for_before_the_first_delivery(rig: Rig, receiver: Receiver) -> None:
    """OPTIONS to the very URL; once granted, each delivery names the same origin, and nobody asks again."""
    receiver.script(GRANT)
    endpoint = await register(rig, receiver.url(), needs_consent=True, rate_limit_per_s=2.0)

    async with rig.notifier(origin="ringback.example"):
        await delivered(rig)
        await delivered(rig)

    question, first, second = receiver.requests
    assert (question.method, question.target, question.body) == ("OPTIONS", first.target, b"")
    assert question.header("webhook-request-origin") == "ringback.example"
    assert question.header("webhook-request-rate") == "120"
    assert [one.header("webhook-request-origin") for one in (first, second)] == ["ringback.example"] * 2
    now = await now_of(rig, endpoint)
    assert (now.consent, now.consent_rate_per_minute) == (Consent.GRANTED, 120)


async def test_without_consent_nothing_is_sent(rig: Rig, receiver: Receiver) -> None:
    """A 200 that grants nothing is no consent: the attempts say so, and no POST is made (BB-84)."""
    endpoint = await register(rig, receiver.url(), needs_consent=True)

    async with rig.notifier():
        detail = await delivered(rig)

    assert {request.method for request in receiver.requests} == {"OPTIONS"}
    assert {one.verdict for one in detail.attempts} == {Verdict.NO_CONSENT}
    assert "no header webhook-allowed-origin" in detail.attempts[0].reason
    assert (detail.delivery.state, len(detail.attempts)) == (DeliveryState.EXHAUSTED, 3)
    assert (await now_of(rig, endpoint)).consent is Consent.WITHHELD


async def test_consent_that_comes_later_lets_the_retry_through(rig: Rig, receiver: Receiver) -> None:
    """It is asked for again before each try."""
    receiver.script(Answer(405))
    await register(rig, receiver.url(), needs_consent=True)

    async with rig.notifier(schedule_s=(3.5,)):
        delivery = await end_job(rig)
        await rig.when(delivery.id, DeliveryState.RETRYING)
        receiver.script(GRANT)
        detail = await rig.ended(delivery.id)

    assert [request.method for request in receiver.requests] == ["OPTIONS", "OPTIONS", "POST"]
    assert detail.delivery.state is DeliveryState.DELIVERED


async def test_receiver_that_cannot_be_asked_says_why(rig: Rig, receiver: Receiver) -> None:
    """The attempt has the verdict of what went wrong."""
    await register(rig, receiver.url(), needs_consent=True)
    await receiver.refuse()

    async with rig.notifier(schedule_s=()):
        detail = await delivered(rig)

    (attempt,) = detail.attempts
    assert attempt.verdict is Verdict.CONNECT_REFUSED
    assert "consent could not be asked for" in attempt.reason
