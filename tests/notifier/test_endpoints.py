"""Deliveries to registered endpoints."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from ringback.webhooks import new_secret, new_signing_key, public_key_of
from ringback_schemas.deliveries import DeliveryRecord, Verdict, WaitReason
from ringback_schemas.endpoints import BodyFormat, DisabledReason, EndpointRecord, NewSecret, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, new_secret_id
from ringback_schemas.states import DeliveryState
from tests.answers import Answer, Hang, Held
from tests.notifier.conftest import Rig
from tests.notifier.endpoints import AT, BODY, SECRET, all_deliveries, delivered, end_job, now_of, register
from tests.receiver import Receiver
from tests.waiting import eventually


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
