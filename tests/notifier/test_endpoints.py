"""Deliveries to registered endpoints."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from ringback.egress import destination_of
from ringback.webhooks import new_secret, new_signing_key, public_key_of
from ringback_schemas.deliveries import DeliveryDetail, DeliveryRecord, Verdict, WaitReason
from ringback_schemas.documents import event_body
from ringback_schemas.endpoints import (
    BodyFormat,
    Consent,
    DisabledReason,
    EndpointRecord,
    EndpointSettings,
    NewSecret,
    SigningScheme,
)
from ringback_schemas.ids import DEFAULT_TENANT, new_endpoint_id, new_secret_id
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Held
from tests.notifier.conftest import Rig
from tests.receiver import Receiver
from tests.waiting import eventually

SECRET = new_secret()
AT = datetime(2026, 11, 21, 7, tzinfo=UTC)
BODY = event_body("job.succeeded", AT, {"text": "żółć", "n": 2})
GRANT = Answer(200, {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "120"})


async def register(rig: Rig, url: str, *, secret: str = SECRET, **settings: Any) -> EndpointRecord:
    """An endpoint at that URL."""
    scheme = SigningScheme.V1A if secret.startswith("whsk_") else SigningScheme.V1
    made = await rig.store.create_endpoint(
        DEFAULT_TENANT,
        new_endpoint_id(),
        EndpointSettings(url, destination_of(url), **settings),
        NewSecret(new_secret_id(), secret, scheme),
    )
    assert made is not None
    return made


async def end_job(rig: Rig) -> DeliveryRecord:
    """A job without a callback ends; the delivery to the only endpoint."""
    known = await all_deliveries(rig)
    await rig.deliver(body=BODY)
    (fresh,) = [one for one in await all_deliveries(rig) if one.id not in {other.id for other in known}]
    return fresh


async def all_deliveries(rig: Rig) -> list[DeliveryRecord]:
    """Newest first."""
    return await rig.store.list_deliveries(DEFAULT_TENANT, [], None, 100)


async def now_of(rig: Rig, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as it is now."""
    record = await rig.store.get_endpoint(DEFAULT_TENANT, endpoint.id)
    assert record is not None
    return record


async def delivered(rig: Rig) -> DeliveryDetail:
    """The delivery of a job that just ended, once it is done."""
    return await rig.ended((await end_job(rig)).id)


async def test_endpoint_gets_the_event_signed_with_its_own_secret(rig: Rig, receiver: Receiver) -> None:
    """And not with the tenant's, which signs callbacks."""
    await register(rig, receiver.url())

    async with rig.notifier():
        detail = await delivered(rig)

    (request,) = receiver.requests
    assert request.verify(SECRET).body == BODY
    assert len(request.header("webhook-signature").split(" ")) == 1
    assert request.header("content-type") == "application/json"
    assert (request.webhook_id, detail.delivery.state) == (detail.delivery.event_id, DeliveryState.DELIVERED)


async def test_key_pair_signs_so_that_the_public_key_verifies(rig: Rig, receiver: Receiver) -> None:
    """``v1a``: the receiver needs no secret (BB-27)."""
    key = new_signing_key()
    await register(rig, receiver.url(), secret=key)

    async with rig.notifier():
        await delivered(rig)

    (request,) = receiver.requests
    assert request.header("webhook-signature").startswith("v1a,")
    assert request.verify(public_key_of(key)).body == BODY


async def test_rotated_endpoint_secret_signs_within_seconds(rig: Rig, receiver: Receiver) -> None:
    """Old and new verify until the window ends, then only the new one (BB-22)."""
    endpoint = await register(rig, receiver.url())
    new = NewSecret(new_secret_id(), new_secret(), SigningScheme.V1)

    async with rig.notifier():
        await delivered(rig)
        ends_at = datetime.now(UTC) + timedelta(seconds=6)
        await rig.store.rotate_endpoint_secret(DEFAULT_TENANT, endpoint.id, new, ends_at)

        async def signatures(wanted: int) -> bool:
            await delivered(rig)
            return len(receiver.requests[-1].header("webhook-signature").split(" ")) == wanted

        await eventually(lambda: signatures(2), within_s=6, what="two signatures")
        during = receiver.requests[-1]
        await eventually(lambda: signatures(1), within_s=15, what="one signature again")

    assert during.verify(SECRET).id == during.verify(new.secret).id
    assert receiver.requests[-1].verify(new.secret)


async def test_endpoint_settings_shape_the_request(rig: Rig, receiver: Receiver) -> None:
    """Its own headers come along, in place of ours where they have the same name; never in place of the signature."""
    headers = (("authorization", "Bearer t0p"), ("user-agent", "Shop/1"), ("webhook-id", "x"))
    await register(rig, receiver.url(), headers=headers)

    async with rig.notifier():
        detail = await delivered(rig)

    (request,) = receiver.requests
    assert (request.header("authorization"), request.header("user-agent")) == ("Bearer t0p", "Shop/1")
    assert request.webhook_id == detail.delivery.event_id


async def test_endpoint_has_its_own_deadline(rig: Rig, receiver: Receiver) -> None:
    """Shorter than the usual one."""
    receiver.always(Hang())
    await register(rig, receiver.url(), timeout_s=0.2)

    async with rig.notifier(schedule_s=()):
        detail = await delivered(rig)

    (attempt,) = detail.attempts
    assert attempt.verdict is Verdict.TIMEOUT
    assert "within 0.2 s" in attempt.reason


async def test_cloud_event_is_the_same_bytes_on_every_try(rig: Rig, receiver: Receiver) -> None:
    """Structured JSON that the CloudEvents SDK reads, signed over those very bytes."""
    receiver.script(Answer(500))
    await register(rig, receiver.url(), body_format=BodyFormat.CLOUDEVENTS)

    async with rig.notifier():
        detail = await delivered(rig)

    first, second = receiver.requests
    assert first.body == second.body == second.verify(SECRET).body
    assert first.header("content-type") == "application/cloudevents+json"
    event = JSONFormat().read(CloudEvent, first.body)
    assert (event.get_id(), event.get_type()) == (detail.delivery.event_id, "job.succeeded")
    assert (event.get_subject(), event.get_time()) == (detail.delivery.job_id, AT)
    assert event.get_source() == f"urn:ringback:{DEFAULT_TENANT}"
    assert BODY[BODY.index(b'"data":') : -1] in first.body


async def test_endpoint_that_is_gone_is_disabled(rig: Rig, receiver: Receiver) -> None:
    """410: one attempt, the delivery ends, and nothing more is sent (BB-02)."""
    receiver.script(Answer(410))
    endpoint = await register(rig, receiver.url())

    async with rig.notifier():
        detail = await delivered(rig)
        await eventually(
            lambda: _is_disabled(rig, endpoint, DisabledReason.GONE), within_s=10, what="the endpoint to be disabled"
        )
        await rig.deliver(body=BODY)

    assert (detail.delivery.state, [one.verdict for one in detail.attempts]) == ("exhausted", [Verdict.GONE])
    assert len(receiver.requests) == 1
    assert len(await all_deliveries(rig)) == 1


async def _is_disabled(rig: Rig, endpoint: EndpointRecord, reason: DisabledReason) -> bool:
    return (await now_of(rig, endpoint)).disabled_reason is reason


async def test_410_from_a_former_url_disables_nothing(rig: Rig, receiver: Receiver) -> None:
    """The endpoint moved while the old receiver was asked."""
    gate = asyncio.Event()
    receiver.always(Held(gate, Answer(410)), path="/old")
    endpoint = await register(rig, receiver.url("/old"))

    async with rig.notifier():
        delivery = await end_job(rig)
        await receiver.wait_for(1)
        moved = replace(endpoint.settings, url=receiver.url("/new"))
        await rig.store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, moved)
        gate.set()
        await rig.ended(delivery.id)

    assert (await now_of(rig, endpoint)).is_enabled


async def test_disabled_endpoint_finishes_what_is_in_flight_and_parks_the_rest(rig: Rig, receiver: Receiver) -> None:
    """None after it; the retry waits visibly, and goes on when the endpoint is enabled (BB-18)."""
    gate = asyncio.Event()
    receiver.script(Held(gate, Answer(500)))
    endpoint = await register(rig, receiver.url())

    async with rig.notifier():
        delivery = await end_job(rig)
        await receiver.wait_for(1)
        await rig.store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
        gate.set()
        parked = await rig.when(delivery.id, DeliveryState.RETRYING)
        assert (parked.delivery.next_attempt_at, parked.delivery.waits_for) == (None, WaitReason.ENDPOINT_DISABLED)
        assert len(receiver.requests) == 1

        await rig.store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
        done = await rig.ended(delivery.id)

    assert (done.delivery.state, len(done.attempts)) == (DeliveryState.DELIVERED, 2)


async def test_deleted_endpoint_gets_no_more_attempts(rig: Rig, receiver: Receiver) -> None:
    """Its retry is cancelled (BB-17)."""
    receiver.always(Answer(500))
    endpoint = await register(rig, receiver.url())

    async with rig.notifier(schedule_s=(600.0,)):
        delivery = await end_job(rig)
        await rig.when(delivery.id, DeliveryState.RETRYING)
        await rig.store.delete_endpoint(DEFAULT_TENANT, endpoint.id)
        detail = await rig.ended(delivery.id)

    assert (detail.delivery.state, len(detail.attempts), len(receiver.requests)) == ("cancelled", 1, 1)


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_delivery_that_was_claimed_in_that_moment_is_not_sent(
    rig: Rig, receiver: Receiver, *, is_deleted: bool
) -> None:
    """A claim does not look at the endpoint; whoever sends does."""
    endpoint = await register(rig, receiver.url())
    delivery = await end_job(rig)
    arm = rig.store.arm_endpoints

    async def arm_late(ids: Any) -> Any:
        if is_deleted:
            await rig.store.delete_endpoint(DEFAULT_TENANT, endpoint.id)
        else:
            await rig.store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
        return await arm(ids)

    rig.outage.arm_endpoints = arm_late  # type: ignore[attr-defined]
    async with rig.notifier():
        detail = await rig.when(delivery.id, "cancelled" if is_deleted else "pending")
        if not is_deleted:
            await eventually(lambda: _is_parked(rig, delivery), within_s=10, what="the delivery to be parked")

    assert (receiver.requests, detail.attempts) == ([], ())


async def _is_parked(rig: Rig, delivery: DeliveryRecord) -> bool:
    return (await rig.delivery(delivery.id)).delivery.waits_for is WaitReason.ENDPOINT_DISABLED


async def test_change_of_the_url_shows_within_seconds(rig: Rig, receiver: Receiver) -> None:
    """Also for the retry of what went to the old one."""
    receiver.always(Answer(500), path="/old")
    endpoint = await register(rig, receiver.url("/old"))

    async with rig.notifier(schedule_s=(4.0,)):
        delivery = await end_job(rig)
        await rig.when(delivery.id, DeliveryState.RETRYING)
        moved = replace(endpoint.settings, url=receiver.url("/new"))
        await rig.store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, moved)
        detail = await rig.ended(delivery.id)

    assert [request.target for request in receiver.requests] == ["/old", "/new"]
    assert (detail.delivery.state, detail.delivery.url) == (DeliveryState.DELIVERED, receiver.url("/new"))


async def test_health_is_kept(rig: Rig, receiver: Receiver) -> None:
    """Failures in a row, ended by a success (BB-79)."""
    receiver.script(Answer(500), Answer(500))
    endpoint = await register(rig, receiver.url())

    async with rig.notifier():
        delivery = await end_job(rig)
        await eventually(lambda: _failures(rig, endpoint, 2), within_s=10, what="two failures in a row")
        await rig.ended(delivery.id)

    health = (await now_of(rig, endpoint)).health
    assert (health.failures_in_row, health.first_failure_at) == (0, None)
    assert health.last_success_at is not None


async def _failures(rig: Rig, endpoint: EndpointRecord, wanted: int) -> bool:
    return (await now_of(rig, endpoint)).health.failures_in_row >= wanted


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
