"""Deliveries: what was sent, what came back, and sending it again."""

from typing import Any

import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.http import DeliveryBody
from ringback_schemas.ids import DeliveryId, new_instance_id
from ringback_schemas.lanes import LaneRoom, LaneRooms
from ringback_schemas.states import DeliveryState
from tests.service.api.conftest import PUBLIC_URL, Api


async def _delivery(api: Api) -> dict[str, Any]:
    """A delivery that waits, as the API shows it."""
    job = await api.submit(callback_url="https://192.0.2.1/hook")
    await api.finish(job["id"], result=b"1")
    (delivery,) = (await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")).body["items"]
    shown: dict[str, Any] = delivery
    return shown


async def test_delivery_that_waits_at_its_destination_says_why(api: Api) -> None:
    """Nobody has to guess why nothing is sent."""
    delivery = await _delivery(api)
    shut = LaneRooms(1, [LaneRoom(delivery["destination"], 0, WaitReason.CIRCUIT)])
    await api.store.claim_in_lanes(new_instance_id(), [DeliveryId(delivery["id"])], shut)

    shown = (await api.call("GET", f"/v1/deliveries/{delivery['id']}")).body

    assert (delivery["waits_for"], shown["waits_for"], shown["state"]) == (None, "circuit", "pending")


async def test_delivery_that_waits_is_shown(api: Api) -> None:
    """In the shape that the client parses, with links to where it belongs."""
    delivery = DeliveryBody.model_validate(await _delivery(api))

    assert (delivery.state, delivery.done, delivery.attempts) == (DeliveryState.PENDING, False, [])
    assert delivery.destination == "https://192.0.2.1:443"
    assert delivery.links.job == f"{PUBLIC_URL}/v1/jobs/{delivery.job_id}"


async def test_delivery_is_shown_with_its_attempts(api: Api) -> None:
    """Enough to answer "what happened"; bytes that are no text do not break the answer."""
    delivery = await _delivery(api)
    await api.exhaust(delivery["id"])

    reply = await api.call("GET", f"/v1/deliveries/{delivery['id']}")

    (attempt,) = reply.body["attempts"]
    assert (reply.body["state"], reply.body["done"]) == ("exhausted", True)
    assert (attempt["attempt"], attempt["status"], attempt["verdict"]) == (1, 503, "server_error")
    assert attempt["response_prefix"] == "busy \ufffd"
    phases = {"dns_s": 0.01, "connect_s": None, "tls_s": None, "first_byte_s": None}
    assert attempt["duration"] == {"total_s": 0.25, **phases}


async def test_delivery_can_be_sent_again(api: Api) -> None:
    """It is due at once, with its event and a fresh schedule, and announced."""
    delivery = await _delivery(api)
    await api.exhaust(delivery["id"])
    subscription = api.deps.announcer._broker.subscribe((DELIVERIES,))

    reply = await api.call("POST", f"/v1/deliveries/{delivery['id']}/redeliver")

    (received,) = await subscription.receive()
    assert (reply.status, reply.body["state"], reply.body["tries"]) == (202, "pending", 0)
    assert reply.body["event_id"] == delivery["event_id"]
    assert received.envelope.ids == (delivery["id"],)


async def test_delivery_that_is_being_sent_is_left_alone(api: Api) -> None:
    """200, unchanged: it is on its way."""
    delivery = await _delivery(api)
    await api.store.claim_deliveries(new_instance_id(), [DeliveryId(delivery["id"])], 1)

    reply = await api.call("POST", f"/v1/deliveries/{delivery['id']}/redeliver")

    assert (reply.status, reply.body["state"]) == (200, "sending")


async def test_job_without_callback_has_no_deliveries(api: Api) -> None:
    """An empty list, not a 404."""
    job = await api.submit()

    reply = await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")

    assert (reply.status, reply.body) == (200, {"items": [], "next": None})


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/redeliver")])
async def test_delivery_of_another_tenant_is_a_404(api: Api, method: str, suffix: str) -> None:
    """Neither shown nor sent."""
    delivery = await _delivery(api)

    reply = await api.call(method, f"/v1/deliveries/{delivery['id']}{suffix}", key=await api.stranger())

    assert reply.problem == (404, "delivery-not-found")


@pytest.mark.parametrize("delivery_id", ["nonsense", "dlv_01kb3v4r6de0qv8t3kq1x1m9za"])
async def test_id_of_no_delivery_is_a_404(api: Api, delivery_id: str) -> None:
    """Unknown and impossible ids look alike."""
    reply = await api.call("GET", f"/v1/deliveries/{delivery_id}")

    assert reply.problem == (404, "delivery-not-found")
