"""What is signed with which keys, as receivers and their libraries see it (BB-20 to BB-28)."""

import base64
import json
import time
from dataclasses import dataclass

import pytest
import pytest_asyncio
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from ringback.webhooks import WebhookVerificationError, verify_webhook
from ringback_schemas.endpoints import BodyFormat, SigningScheme
from tests.answers import Answer
from tests.blackbox.conftest import Join
from tests.blackbox.world import World
from tests.receiver import Request
from tests.receivers.libraries import Library
from tests.waiting import eventually

OVERLAP_S = 8.0
"""Longer than a notifier takes to hear of a new secret."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One real delivery from each phase of a rotation."""

    old: str
    new: str
    before: Request
    during: Request
    after: Request


@pytest_asyncio.fixture(scope="package", loop_scope="session", params=["tenant", "endpoint"])
async def rotation(request: pytest.FixtureRequest, package_join: Join) -> Rotation:
    """The secret of callbacks, and that of an endpoint, rotated under a stream of deliveries."""
    world = await package_join()
    endpoint_id = (await world.register()).id if request.param == "endpoint" else None
    url = world.receiver.url() if endpoint_id is None else None

    async def signed_by(count: int) -> Request | None:
        seen = len(world.receiver.requests)
        await world.client.submit("demo.echo", "żółć", callback_url=url)
        latest = (await world.arrivals(seen + 1))[-1]
        return latest if len(latest.header("webhook-signature").split(" ")) == count else None

    async def phase(count: int) -> Request:
        found = await eventually(lambda: signed_by(count), within_s=30, what=f"a delivery with {count} signatures")
        assert found is not None
        return found

    (old,) = await world.client.secrets.show(endpoint_id)
    before = await phase(1)
    new, _ = await world.client.secrets.rotate(endpoint_id, overlap_s=OVERLAP_S)
    during, after = await phase(2), await phase(1)
    assert old.secret is not None
    assert new.secret is not None
    return Rotation(old.secret, new.secret, before, during, after)


def accepts(library: Library, secret: str, request: Request) -> bool:
    """Whether the library with that secret takes a request that came."""
    return library(secret, {name.lower(): value for name, value in request.headers}, request.body)


def test_libraries_accept_real_deliveries_through_a_rotation(library: Library, rotation: Rotation) -> None:
    """BB-21, BB-22: old before, both during, new after; and nothing else."""
    phases = (rotation.before, rotation.during, rotation.after)

    assert [accepts(library, rotation.old, one) for one in phases] == [True, True, False]
    assert [accepts(library, rotation.new, one) for one in phases] == [False, True, True]


def test_newest_secret_signs_first(rotation: Rotation) -> None:
    """BB-22: receivers that look at the first signature only are not left behind."""
    first, _ = rotation.during.header("webhook-signature").split(" ")

    headers = {**dict(rotation.during.headers), "webhook-signature": first}

    assert verify_webhook(rotation.new, headers, rotation.during.body)


async def test_receiver_whose_clock_is_off_refuses_and_the_attempt_shows_why(world: World) -> None:
    """BB-25: libraries reject by ten minutes; what the receiver said about it is in the attempt."""
    world.receiver.script(Answer(400, body=b"Message timestamp too old"))

    attempt = await world.first_attempt(await world.ring())
    request, secrets = world.receiver.requests[0], await world.client.signing_secrets()

    with pytest.raises(WebhookVerificationError):
        verify_webhook(secrets, dict(request.headers), request.body, now=time.time() + 600)
    assert (attempt.status, attempt.response_prefix) == (400, "Message timestamp too old")


async def test_id_has_no_dot_and_stays_the_same(world: World) -> None:
    """BB-26: over retries and a resend by hand."""
    world.receiver.script(Answer(500))
    delivery = await world.ended(await world.ring())

    await world.client.redeliver(delivery.id)
    tries = await world.arrivals(3)

    assert {one.webhook_id for one in tries} == {delivery.event_id}
    assert "." not in delivery.event_id


async def test_key_pair_verifies_by_the_published_key(world: World) -> None:
    """BB-27: from the well-known URL, which asks for no API key; as a JSON Web Key it is the same one."""
    await world.register(signing=SigningScheme.V1A)
    await world.event()
    (request,) = await world.arrivals(1)

    async with world.session.get(f"{world.url}/.well-known/ringback-keys/{world.tenant_id}") as answer:
        (key,) = (await answer.json())["keys"]

    assert request.header("webhook-signature").startswith("v1a,")
    assert request.verify(key["whpk"])
    assert base64.urlsafe_b64decode(key["x"] + "=") == base64.b64decode(key["whpk"].removeprefix("whpk_"))


async def test_private_key_is_never_returned(world: World) -> None:
    """BB-27: not when the endpoint is made, not to whoever may read secrets, not by a rotation."""
    made = await world.call("POST", "/v1/endpoints", json={"url": world.receiver.url(), "signing": "v1a"})
    own = f"/v1/endpoints/{made.body['id']}"
    await world.call("GET", own)
    shown = await world.call("GET", f"{own}/secret")
    await world.call("POST", f"{own}/rotate-secret", json={})

    assert shown.body["secrets"][0]["public_key"].startswith("whpk_")
    assert "whsk_" not in "".join(world.answers)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64!", "whsec_" + "A" * 400])
async def test_weak_secret_is_refused(world: World, secret: str) -> None:
    """BB-28: no signature is ever made with a key that can be guessed."""
    reply = await world.call("POST", "/v1/endpoints", json={"url": world.receiver.url(), "secret": secret})

    assert (reply.status, reply.body["errors"][0]["pointer"]) == (422, "/secret")
    assert [one async for one in world.client.endpoints.list()] == []


async def test_cloud_event_is_read_by_its_sdk(world: World) -> None:
    """The structured form, signed over its bytes, the same on a retry."""
    world.receiver.script(Answer(500))
    endpoint = await world.register(body_format=BodyFormat.CLOUDEVENTS)
    job = await world.event({"a": "żółć"})
    first, second = await world.arrivals(2)

    event = JSONFormat().read(CloudEvent, second.body)
    (secret,) = await world.client.secrets.show(endpoint.id)

    assert first.body == second.verify(secret.secret or "").body
    assert second.header("content-type") == "application/cloudevents+json"
    assert (event.get_id(), event.get_type(), event.get_subject()) == (second.webhook_id, "job.succeeded", job)
    assert json.loads(second.body)["data"]["result"] == {"a": "żółć"}
