"""Registered endpoints over the API."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryOutcome, Timing, Verdict
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.http import EndpointBody
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, EndpointId, new_instance_id
from ringback_schemas.states import DeliveryState
from ringback_schemas.tenants import Scope
from tests.service.api.conftest import PUBLIC_URL, Api

URL = "https://192.0.2.1/hook"
UNKNOWN = "/v1/endpoints/end_01kb3v4r6de0qv8t3kq1x1m9za"
ALL_SET = {
    "url": URL,
    "events": ["job.failed", "endpoint.*"],
    "description": "the shop",
    "headers": {"Authorization": "Bearer t0p", "X-Team": "a b"},
    "rate_limit_per_s": 2.5,
    "max_in_flight": 3,
    "timeout_s": 7.0,
    "body_format": "cloudevents",
    "is_fifo": True,
    "needs_consent": True,
}


async def made(api: Api, **request: Any) -> dict[str, Any]:
    """An endpoint that must be accepted."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": URL, **request})
    assert reply.status == 201, reply.body
    body: dict[str, Any] = reply.body
    return body


async def refused(api: Api, **request: Any) -> list[str]:
    """Where an endpoint that must be refused is wrong; nothing is stored."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": URL, **request})
    assert reply.problem == (422, "invalid-input")
    assert (await api.call("GET", "/v1/endpoints")).body["items"] == []
    return reply.places


async def test_endpoint_is_made_and_shown(api: Api) -> None:
    """As it was given, but for what looks like a credential."""
    reply = await api.call("POST", "/v1/endpoints", json=ALL_SET)

    shown = EndpointBody.model_validate(reply.body)
    assert (reply.status, reply.headers["Location"]) == (201, f"{PUBLIC_URL}/v1/endpoints/{shown.id}")
    assert {name: reply.body[name] for name in ALL_SET if name != "headers"} == {
        name: value for name, value in ALL_SET.items() if name != "headers"
    }
    assert shown.headers == {"authorization": "***", "x-team": "a b"}
    assert (shown.enabled, shown.signing, shown.consent) == (True, "v1", "pending")
    assert (await api.call("GET", f"/v1/endpoints/{shown.id}")).body == reply.body


async def test_endpoint_needs_nothing_but_a_url(api: Api) -> None:
    """It gets all events then."""
    body = await made(api)

    assert (body["events"], body["headers"], body["consent"]) == ([], {}, "not_required")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("content-length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("webhook-id", "x"),
        ("Webhook-Signature", "v1,x"),
        ("Webhook_Signature", "v1,x"),
        ("Transfer_Encoding", "chunked"),
        ("ce-id", "x"),
        ("Proxy-Authorization", "x"),
        ("X-A", "a\r\nX-B: b"),
        ("X-A", "a\x00"),
        ("X-A", "é"),
        ("X-A", " a"),
        ("X-A", ""),
        ("X-A", "x" * 2_001),
        ("X A", "a"),
        ("", "a"),
        ("X-A:", "a"),
        ("X-A", "***"),
    ],
)
async def test_header_that_cannot_be_sent_is_refused(api: Api, name: str, value: str) -> None:
    """Reserved names, control characters and more (BB-53)."""
    assert await refused(api, headers={name: value}) == [f"/headers/{name}"]


@pytest.mark.parametrize("name", ["cookie", "x-api-key", "x-pwd", "x-bearer", "x-jwt", "x-hmac"])
async def test_header_that_looks_like_a_credential_is_hidden(api: Api, name: str) -> None:
    """Who may read endpoints need not be who may write them."""
    assert (await made(api, headers={name: "hush"}))["headers"] == {name: "***"}


async def test_too_many_headers_are_refused(api: Api) -> None:
    """In number, together in size, or the same in another case."""
    assert await refused(api, headers={f"x-{number}": "a" for number in range(21)}) == ["/headers"]
    assert await refused(api, headers={f"x-{number}": "a" * 1_900 for number in range(5)}) == ["/headers"]
    assert await refused(api, headers={"X-A": "a", "x-a": "b"}) == ["/headers/x-a"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("events", ["job.*.x"]),
        ("events", ["Job.failed"]),
        ("events", ["job.fail*"]),
        ("events", [""]),
        ("events", ["job.failed"] * 2),
        ("events", [f"a{number}" for number in range(33)]),
        ("description", "a\nb"),
        ("rate_limit_per_s", 0),
        ("rate_limit_per_s", 5e-324),
        ("max_in_flight", 0),
        ("timeout_s", 31),
        ("timeout_s", 0.5),
        ("signing", "v2"),
        ("body_format", "xml"),
        ("needs_consent", "yes"),
        ("unknown", 1),
    ],
)
async def test_wrong_value_is_refused_with_its_place(api: Api, field: str, value: Any) -> None:
    """And nothing is stored."""
    (place,) = await refused(api, **{field: value})

    assert place.startswith(f"/{field}")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://10.0.0.1/", "url_private_address"),
        ("https://127.0.0.1/", "url_private_address"),
        ("https://169.254.169.254/latest", "url_private_address"),
        ("ftp://192.0.2.1/", "url_scheme"),
        ("https://u:p@192.0.2.1/", "url_userinfo"),
    ],
)
async def test_url_that_the_guard_refuses_is_refused(api: Api, url: str, code: str) -> None:
    """By the very check that callbacks meet, with the same words."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": url})
    callback = await api.call("POST", "/v1/jobs", json={"type": "test.echo", "callback_url": url})

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/url"])
    (error,), (other,) = reply.body["errors"], callback.body["errors"]
    assert (error["code"], error["detail"]) == (other["code"], other["detail"])
    assert error["code"].startswith(code.partition("_")[0])


async def test_tenant_has_only_so_many_endpoints(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is a conflict, and says so."""
    monkeypatch.setattr("ringback_backends.sql.endpoints.MAX_ENDPOINTS", 1)
    await made(api)

    assert (await api.call("POST", "/v1/endpoints", json={"url": URL})).problem == (409, "too-many-endpoints")


async def test_endpoints_are_listed_in_pages(api: Api) -> None:
    """Newest first."""
    ids = [(await made(api))["id"] for _ in range(3)]

    first = (await api.call("GET", "/v1/endpoints?limit=2")).body
    second = (await api.call("GET", first["next"].removeprefix(PUBLIC_URL))).body

    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next"] is None


async def test_patch_changes_what_it_names(api: Api) -> None:
    """And nothing else; a hidden header stays what it was."""
    endpoint = await made(api, **ALL_SET)
    change: dict[str, Any] = {
        "events": [],
        "timeout_s": None,
        "headers": {"authorization": "***", "x-new": "1"},
        "is_fifo": False,
    }

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json=change)

    assert reply.status == 200
    kept = {name: endpoint[name] for name in ("url", "description", "rate_limit_per_s", "body_format", "created_at")}
    assert {name: reply.body[name] for name in kept} == kept
    assert (reply.body["events"], reply.body["timeout_s"], reply.body["is_fifo"]) == ([], None, False)
    stored = await api.store.get_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]))
    assert stored is not None
    assert stored.settings.headers == (("authorization", "Bearer t0p"), ("x-new", "1"))


@pytest.mark.parametrize("more", [{}, {"headers": {"authorization": "***"}}])
async def test_credentials_do_not_go_along_to_another_place(api: Api, more: dict[str, Any]) -> None:
    """Whoever may change the URL would read there what the API hides; nothing is changed."""
    endpoint = await made(api, **ALL_SET)
    path = f"/v1/endpoints/{endpoint['id']}"

    reply = await api.call("PATCH", path, json={"url": "https://192.0.2.9/hook", **more})

    assert reply.problem == (422, "invalid-input")
    assert reply.places[0].startswith("/headers")
    assert (await api.call("GET", path)).body == endpoint
    assert (await api.call("PATCH", path, json={"url": "https://192.0.2.9/hook", "headers": {}})).status == 200


async def test_credentials_stay_with_another_path_of_the_same_place(api: Api) -> None:
    """That is the same server."""
    endpoint = await made(api, **ALL_SET)

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"url": endpoint["url"] + "/v2"})

    assert (reply.status, reply.body["headers"]["authorization"]) == (200, "***")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"url": None}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"events": None}, "/events"),
        ({"events": ["*x"]}, "/events/0"),
        ({"is_fifo": None}, "/is_fifo"),
        ({"headers": {"host": "x"}}, "/headers/host"),
        ({"signing": "v1a"}, "/signing"),
        ({"enabled": False}, "/enabled"),
    ],
)
async def test_patch_is_checked_as_a_new_one_is(api: Api, change: dict[str, Any], place: str) -> None:
    """Nothing of it is stored."""
    endpoint = await made(api)

    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json=change)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [place])
    assert (await api.call("GET", f"/v1/endpoints/{endpoint['id']}")).body == endpoint


async def test_patch_survives_a_change_in_between(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two who change different things at the same time both get what they wanted."""
    endpoint = await made(api)
    update = api.store.update_endpoint

    async def beaten(*args: Any) -> Any:
        monkeypatch.undo()
        await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"description": "theirs"})
        return await update(*args)

    monkeypatch.setattr(api.store, "update_endpoint", beaten)
    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"timeout_s": 3.0})

    assert (reply.status, reply.body["description"], reply.body["timeout_s"]) == (200, "theirs", 3.0)


async def test_patch_that_never_gets_through_is_a_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few tries somebody is told."""
    endpoint = await made(api)

    async def lost(*_: Any) -> None:
        return None

    monkeypatch.setattr(api.store, "update_endpoint", lost)
    reply = await api.call("PATCH", f"/v1/endpoints/{endpoint['id']}", json={"timeout_s": 3.0})

    assert reply.problem == (409, "edit-conflict")


async def test_disable_and_enable(api: Api) -> None:
    """Both are safe to repeat, and say how it is now."""
    endpoint = await made(api)
    path = f"/v1/endpoints/{endpoint['id']}"

    stopped = [await api.call("POST", f"{path}/disable") for _ in range(2)]
    enabled = [await api.call("POST", f"{path}/enable") for _ in range(2)]

    assert [reply.status for reply in stopped + enabled] == [200] * 4
    assert [(reply.body["enabled"], reply.body["disabled_reason"]) for reply in stopped] == [(False, "requested")] * 2
    assert [reply.body for reply in enabled] == [endpoint] * 2


async def test_deleted_endpoint_is_a_404(api: Api) -> None:
    """From then on."""
    path = f"/v1/endpoints/{(await made(api))['id']}"

    reply = await api.call("DELETE", path)

    assert (reply.status, reply.body) == (204, "")
    assert (await api.call("GET", path)).problem == (404, "endpoint-not-found")
    assert (await api.call("DELETE", path)).problem == (404, "endpoint-not-found")


OPERATIONS = [
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("POST", "/enable"),
    ("POST", "/disable"),
    ("POST", "/test"),
    ("GET", "/secret"),
    ("POST", "/rotate-secret"),
]


@pytest.mark.parametrize(("method", "rest"), OPERATIONS)
async def test_endpoint_of_another_tenant_is_a_404(api: Api, method: str, rest: str) -> None:
    """As is one that is not there, and a text that is no id (BB-81)."""
    path = f"/v1/endpoints/{(await made(api))['id']}{rest}"
    body: dict[str, Any] | None = {} if method == "PATCH" or rest == "/rotate-secret" else None

    assert (await api.call(method, path, key=await api.stranger(), json=body)).problem == (404, "endpoint-not-found")
    assert (await api.call(method, UNKNOWN + rest, json=body)).problem == (404, "endpoint-not-found")
    assert (await api.call(method, f"/v1/endpoints/x{rest}", json=body)).problem == (404, "endpoint-not-found")


async def test_reading_is_not_writing(api: Api) -> None:
    """A key that may read endpoints may neither change them nor see their secrets."""
    path = f"/v1/endpoints/{(await made(api))['id']}"
    key = await api.key_with(Scope.ENDPOINTS_READ)

    assert (await api.call("GET", path, key=key)).status == 200
    assert (await api.call("POST", f"{path}/test", key=key)).problem == (403, "forbidden")
    assert (await api.call("GET", f"{path}/secret", key=key)).problem == (403, "forbidden")
    writing = await api.key_with(Scope.ENDPOINTS_WRITE)
    assert (await api.call("POST", f"{path}/rotate-secret", key=writing, json={})).problem == (403, "forbidden")


async def test_event_of_a_job_goes_to_the_endpoint(api: Api) -> None:
    """Its delivery is listed with the job's."""
    endpoint = await made(api, events=["job.succeeded"])
    job = await api.submit()

    await api.finish(job["id"], result=b"1")

    (delivery,) = (await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")).body["items"]
    assert (delivery["kind"], delivery["endpoint_id"], delivery["url"]) == ("endpoint", endpoint["id"], URL)


async def test_test_is_a_delivery_like_any(api: Api) -> None:
    """Due now, announced, to this endpoint only whatever its filter says, and kept."""
    endpoint = await made(api, events=["nothing.of_the_kind"])
    await made(api)
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
    endpoint = await made(api)
    stored = await api.store.get_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]))
    assert stored is not None
    inside = type(stored.settings)("http://10.0.0.1/", "http://10.0.0.1:80")
    await api.store.update_endpoint(DEFAULT_TENANT, stored.id, stored.version, inside)

    reply = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/url"])
    assert (await api.call("GET", "/v1/deliveries")).body["items"] == []


async def test_disabled_endpoint_is_not_tested(api: Api) -> None:
    """It says why it is disabled."""
    endpoint = await made(api)
    await api.store.disable_endpoint(DEFAULT_TENANT, EndpointId(endpoint["id"]), DisabledReason.GONE)

    reply = await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")

    assert reply.problem == (409, "endpoint-disabled")
    assert "gone" in reply.body["detail"]


async def _exhausted(api: Api, endpoint_id: str) -> str:
    """A delivery to the endpoint whose only attempt failed."""
    delivery_id = (await api.call("POST", f"/v1/endpoints/{endpoint_id}/test")).body["id"]
    owner = new_instance_id()
    (claimed,) = await api.store.claim_deliveries(owner, [DeliveryId(delivery_id)], 1)
    attempt = DeliveryAttempt(claimed.delivery.attempt, datetime.now(UTC), Timing(0.1), Verdict.SERVER_ERROR, "500")
    outcome = DeliveryOutcome(
        claimed.delivery.id, owner, attempt, DeliveryState.EXHAUSTED, endpoint_id=claimed.delivery.endpoint_id
    )
    assert await api.store.record_attempts([outcome]) == [True]
    return str(delivery_id)


async def test_redelivery_to_a_disabled_endpoint_is_a_conflict(api: Api) -> None:
    """Not a 202 and then silence (BB-73); nothing changes."""
    endpoint = await made(api)
    delivery_id = await _exhausted(api, endpoint["id"])
    before = (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body
    await api.call("POST", f"/v1/endpoints/{endpoint['id']}/disable")

    reply = await api.call("POST", f"/v1/deliveries/{delivery_id}/redeliver")

    assert reply.problem == (409, "endpoint-disabled")
    assert "requested" in reply.body["detail"]
    assert (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body == before


async def test_redelivery_to_a_deleted_endpoint_is_a_conflict(api: Api) -> None:
    """There is nobody to send it to."""
    endpoint = await made(api)
    delivery_id = await _exhausted(api, endpoint["id"])
    await api.call("DELETE", f"/v1/endpoints/{endpoint['id']}")

    assert (await api.call("POST", f"/v1/deliveries/{delivery_id}/redeliver")).problem == (409, "endpoint-gone")


async def test_failures_show(api: Api) -> None:
    """How it goes with an endpoint can be read without going through its deliveries."""
    endpoint = await made(api)
    await _exhausted(api, endpoint["id"])

    shown = (await api.call("GET", f"/v1/endpoints/{endpoint['id']}")).body

    assert (shown["failures_in_row"], shown["last_success_at"]) == (1, None)
    assert shown["first_failure_at"] is not None


async def test_parked_delivery_says_why_it_waits(api: Api) -> None:
    """Until somebody enables the endpoint."""
    endpoint = await made(api)
    delivery_id = (await api.call("POST", f"/v1/endpoints/{endpoint['id']}/test")).body["id"]
    await api.call("POST", f"/v1/endpoints/{endpoint['id']}/disable")

    shown = (await api.call("GET", f"/v1/deliveries/{delivery_id}")).body

    assert (shown["state"], shown["next_attempt_at"], shown["done"]) == ("pending", None, False)
    assert shown["waits_for"] == "endpoint_disabled"
