"""Deliveries to registered endpoints over the API: of jobs, tests, and what is sent again."""

from typing import Any

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, EndpointId, new_instance_id
from tests.service.api.conftest import Api
from tests.service.api.endpoints import URL, made_endpoint


async def test_event_of_a_job_goes_to_the_endpoint(api: Api) -> None:
    """Its delivery is listed with the job's."""
    endpoint = await made_endpoint(api, events=["job.succeeded"])
    job = await api.submit()

    await api.finish(job["id"], result=b"1")

    (delivery,) = (await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")).body["items"]
    assert (delivery["kind"], delivery["endpoint_id"], delivery["url"]) == ("endpoint", endpoint["id"], URL)


async def test_test_is_a_delivery_like_any(api: Api) -> None:
    """Due now, announced, to this endpoint only whatever its filter says, and kept."""
    endpoint = await made_endpoint(api, events=["nothing.of_the_kind"])
    await made_endpoint(api)
    subscription = api.deps.announcer._broker.subscribe((DELIVERIES,))

    reply = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert reply.status == 202
    assert (reply.body["event_type"], reply.body["endpoint_id"]) == ("endpoint.test", endpoint["id"])
    assert (reply.body["job_id"], reply.body["links"]["job"], reply.body["state"]) == (None, None, "pending")
    (received,) = await subscription.receive()
    assert received.envelope.ids == (reply.body["id"],)
    assert (await api.call("GET", "/v1/deliveries")).body["items"] == [{**reply.body, "attempts": None}]
    (claimed,) = await api.store.claim_due_deliveries(new_instance_id(), 5)
    assert b'"type":"endpoint.test"' in claimed.body
    await subscription.close()


async def test_test_meets_the_guard(api: Api) -> None:
    """A network that was closed since is refused as a delivery would be (BB-49)."""
    endpoint = await made_endpoint(api)
    stored = await api.store.get_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]))
    assert stored is not None
    inside = type(stored.settings)("http://10.0.0.1/", "http://10.0.0.1:80")
    await api.store.update_endpoint(DEFAULT_TENANT, stored.id, stored.version, inside)

    reply = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/url"])
    assert (await api.call("GET", "/v1/deliveries")).body["items"] == []


async def test_disabled_endpoint_is_not_tested(api: Api) -> None:
    """It says why it is disabled."""
    endpoint = await made_endpoint(api)
    await api.store.disable_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]), DisabledReason.GONE)

    reply = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert reply.problem == (409, "endpoint-disabled")
    assert "gone" in reply.body["detail"]


async def exhausted_at(api: Api, endpoint: dict[str, Any]) -> str:
    """A delivery to the endpoint whose only attempt failed."""
    delivery_id = str((await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")).body["id"])
    await api.exhaust(delivery_id)
    return delivery_id


async def test_redelivery_to_a_disabled_endpoint_is_a_conflict(api: Api) -> None:
    """Not a 202 and then silence (BB-73); nothing changes."""
    endpoint = await made_endpoint(api)
    delivery_id = await exhausted_at(api, endpoint)
    before = (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body
    await api.call("POST", f"/v1/endpoints/{endpoint['id']}/disable")

    reply = await api.call("POST", f"/v1/deliveries/{delivery_id}/redeliver")

    assert reply.problem == (409, "endpoint-disabled")
    assert "requested" in reply.body["detail"]
    assert (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body == before


async def test_redelivery_to_a_deleted_endpoint_is_a_conflict(api: Api) -> None:
    """There is nobody to send it to."""
    endpoint = await made_endpoint(api)
    delivery_id = await exhausted_at(api, endpoint)
    await api.call("DELETE", f"/v1/endpoints/{endpoint['id']}")

    assert (await api.call("POST", f"/v1/deliveries/{delivery_id}/redeliver")).problem == (409, "endpoint-gone")


async def test_failures_show(api: Api) -> None:
    """How it goes with an endpoint can be read without going through its deliveries."""
    endpoint = await made_endpoint(api)
    await exhausted_at(api, endpoint)

    shown = (await api.call("GET", f"/v1/endpoints/{endpoint['id']}")).body

    assert (shown["failures_in_row"], shown["last_success_at"]) == (1, None)
    assert shown["first_failure_at"] is not None


async def test_parked_delivery_says_why_it_waits(api: Api) -> None:
    """Until somebody enables the endpoint."""
    endpoint = await made_endpoint(api)
    delivery_id = (await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")).body["id"]
    await api.call("POST", f"/v1/endpoints/{endpoint['id']}/disable")

    shown = (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body

    assert (shown["state"], shown["next_attempt_at"], shown["done"]) == ("pending", None, False)
    assert shown["waits_for"] == "endpoint_disabled"
