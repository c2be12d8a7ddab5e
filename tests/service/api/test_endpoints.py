"""Registered endpoints over the API: made, shown, listed, disabled and deleted."""

from typing import Any

import pytest

from ringback_schemas.http import EndpointBody
from ringback_schemas.tenants import Scope
from tests.service.api.conftest import PUBLIC_URL, Api
from tests.service.api.endpoints import ALL_SET, URL, made_endpoint

UNKNOWN = "/v1/endpoints/end_01kb3v4r6de0qv8t3kq1x1m9za"


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
    body = await made_endpoint(api)

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
    assert (await made_endpoint(api, headers={name: "hush"}))["headers"] == {name: "***"}


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
    await made_endpoint(api)

    assert (await api.call("POST", "/v1/endpoints", json={"url": URL})).problem == (409, "too-many-endpoints")


async def test_endpoints_are_listed_in_pages(api: Api) -> None:
    """Newest first."""
    ids = [(await made_endpoint(api))["id"] for _ in range(3)]

    first = (await api.call("GET", "/v1/endpoints?limit=2")).body
    second = (await api.call("GET", first["next"].removeprefix(PUBLIC_URL))).body

    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next"] is None


async def test_disable_and_enable(api: Api) -> None:
    """Both are safe to repeat, and say how it is now."""
    endpoint = await made_endpoint(api)
    path = f"/v1/endpoints/{endpoint['id']}"

    stopped = [await api.call("POST", f"{path}/disable") for _ in range(2)]
    enabled = [await api.call("POST", f"{path}/enable") for _ in range(2)]

    assert [reply.status for reply in stopped + enabled] == [200] * 4
    assert [(reply.body["enabled"], reply.body["disabled_reason"]) for reply in stopped] == [(False, "requested")] * 2
    assert [reply.body for reply in enabled] == [endpoint] * 2


async def test_deleted_endpoint_is_a_404(api: Api) -> None:
    """From then on."""
    path = f"/v1/endpoints/{(await made_endpoint(api))['id']}"

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
    path = f"/v1/endpoints/{(await made_endpoint(api))['id']}{rest}"
    body: dict[str, Any] | None = {} if method == "PATCH" or rest == "/rotate-secret" else None

    assert (await api.call(method, path, key=await api.stranger(), json=body)).problem == (404, "endpoint-not-found")
    assert (await api.call(method, UNKNOWN + rest, json=body)).problem == (404, "endpoint-not-found")
    assert (await api.call(method, f"/v1/endpoints/x{rest}", json=body)).problem == (404, "endpoint-not-found")


async def test_reading_is_not_writing(api: Api) -> None:
    """A key that may read endpoints may neither change them nor see their secrets."""
    path = f"/v1/endpoints/{(await made_endpoint(api))['id']}"
    key = await api.key_with(Scope.ENDPOINTS_READ)

    assert (await api.call("GET", path, key=key)).status == 200
    assert (await api.call("POST", f"{path}/test", key=key)).problem == (403, "forbidden")
    assert (await api.call("GET", f"{path}/secret", key=key)).problem == (403, "forbidden")
    writing = await api.key_with(Scope.ENDPOINTS_WRITE)
    assert (await api.call("POST", f"{path}/rotate-secret", key=writing, json={})).problem == (403, "forbidden")
