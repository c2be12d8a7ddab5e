"""What goes wrong behind the front end: never a traceback, always a problem document."""

import asyncio
import re
from typing import Any, NoReturn

import pytest

from ringback_backends.contracts.errors import RowRefused, SchemaMismatch, StoreUnavailable
from ringback_service.api import bodies
from ringback_service.api.routes import ROUTES
from ringback_service.api.routing import Guarded, Route
from tests.service.api.conftest import Api

OUTAGES: list[Exception] = [StoreUnavailable("accept", "connection refused"), SchemaMismatch("1", "2")]
BODIES = {
    "/v1/jobs": {"type": "test.echo"},
    "/v1/keys": {"name": "x", "scopes": ["jobs:read"]},
    "/v1/tenants": {"name": "x"},
    "/v1/endpoints": {"url": "https://192.0.2.1/hook"},
}
ON_STORE = [route for route in ROUTES if isinstance(route.endpoint, Guarded) and route.path != "/v1/task-types"]
METHODS = [
    "accept",
    "get_job",
    "list_jobs",
    "deliveries_of_job",
    "get_delivery",
    "list_deliveries",
    "redeliver",
    "signing_secrets",
    "create_key",
    "list_keys",
    "revoke_key",
    "create_tenant",
    "list_tenants",
    "create_endpoint",
    "get_endpoint",
    "list_endpoints",
    "endpoint_secrets",
    "public_keys",
    "audit",
    "list_audit",
    "purge_job",
    "find_purged",
    "settled_events",
    "read_events",
    "last_place",
    "create_replay",
    "get_replay",
    "list_replays",
    "cancel_replay",
]


def _break(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def broken(*_: Any, **__: Any) -> NoReturn:
        raise error

    for name in METHODS:
        monkeypatch.setattr(api.store, name, broken)
    monkeypatch.setattr(api.deps.acceptor, "_operation", broken)


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("route", ON_STORE, ids=lambda route: f"{route.method} {route.path}")
async def test_store_that_is_away_is_a_503(
    api: Api, monkeypatch: pytest.MonkeyPatch, route: Route, error: Exception
) -> None:
    """On every route: come again, and nothing of what the database said."""
    await api.call("GET", "/v1/task-types")
    _break(api, monkeypatch, error)
    kind = {"deliveries": "dlv", "keys": "key", "endpoints": "end", "replays": "rpl"}.get(
        route.path.split("/")[2], "job"
    )
    path = re.sub(r"\{id\}", f"{kind}_01kb3v4r6de0qv8t3kq1x1m9za", route.path)

    reply = await api.call(route.method, path, json=None if route.body is None else BODIES.get(route.path, {}))

    assert reply.problem == (503, "storage-unavailable")
    assert reply.headers["Retry-After"] == "2"
    assert "refused" not in str(reply.body)


async def test_store_that_is_away_when_the_key_is_looked_up_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a 401: the key may be good."""

    async def broken(_: bytes) -> NoReturn:
        raise StoreUnavailable("find_key", "connection refused")

    monkeypatch.setattr(api.store, "find_key", broken)

    replies = await asyncio.gather(*[api.call("GET", "/v1/jobs") for _ in range(5)])

    assert {reply.problem for reply in replies} == {(503, "storage-unavailable")}


async def test_row_that_the_store_refuses_is_a_422(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that slipped through is the request's fault, and does not take others with it."""
    _break(api, monkeypatch, RowRefused("accept", "invalid byte sequence"))

    assert (await api.call("POST", "/v1/jobs", json={"type": "test.echo"})).problem == (422, "invalid-input")


async def test_bug_is_a_500_without_a_traceback(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request id leads to the log; the answer tells nothing of the inside."""
    _break(api, monkeypatch, ZeroDivisionError("secret"))

    reply = await api.call("GET", "/v1/jobs", headers={"X-Request-Id": "mine-1"})

    assert reply.problem == (500, "internal-error")
    assert reply.body["request_id"] == "mine-1"
    assert "secret" not in str(reply.body)
    assert "Traceback" not in str(reply.body)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v1/jobs/", "/v1/jobs/x/y/z", "/v2/jobs", "//", "/%00"])
async def test_path_that_does_not_exist_is_a_404(api: Api, path: str) -> None:
    """As a problem document, whatever the path."""
    assert (await api.call("GET", path)).problem == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/jobs", "GET, HEAD, POST"),
        ("POST", "/v1/jobs/job_01kb3v4r6de0qv8t3kq1x1m9za", "DELETE, GET, HEAD"),
        ("GET", "/v1/jobs/job_01kb3v4r6de0qv8t3kq1x1m9za/cancel", "POST"),
        ("PATCH", "/healthz", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_a_405_that_says_which_are_right(api: Api, method: str, path: str, allowed: str) -> None:
    """RFC 9110, 15.5.6: with an Allow header."""
    reply = await api.call(method, path)

    assert reply.problem == (405, "method-not-allowed")
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406),
        ("image/*, text/*;q=0.1", 406),
        ("*/*;q=0.1", 200),
        ("application/*", 200),
        ("application/problem+json", 200),
    ],
)
async def test_accept_is_heeded(api: Api, accept: str, status: int) -> None:
    """Who takes no JSON gets none, and nothing is done for him."""
    reply = await api.call("GET", "/v1/jobs", headers={"Accept": accept})

    assert reply.status == status


async def test_unknown_expectation_is_a_417(api: Api) -> None:
    """RFC 9110, 10.1.1."""
    reply = await api.call("GET", "/v1/jobs", headers={"Expect": "miracles"})

    assert reply.problem == (417, "expectation-failed")


@pytest.mark.parametrize("given", ["", "x" * 129, "ümlaut", "a\tb"])
async def test_request_id_that_will_not_do_is_replaced(api: Api, given: str) -> None:
    """Only what can stand in a header and a log line is taken over."""
    reply = await api.call("GET", "/v1/task-types", headers={"X-Request-Id": given})

    assert re.fullmatch(r"req_[0-9a-z]{26}", reply.headers["X-Request-Id"])


async def test_head_is_get_without_a_body(api: Api) -> None:
    """RFC 9110, 9.3.2."""
    reply = await api.call("HEAD", "/v1/task-types")

    assert (reply.status, reply.body) == (200, "")
    assert int(reply.headers["Content-Length"]) > 0


async def test_body_that_never_comes_is_a_408(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that stops, or goes on with what is no HTTP, does not hold a handler for ever."""
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.1)
    assert api.client.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", api.client.port)
    writer.write(
        b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer rbk_of_the_tests\r\n"
        b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )

    answer = await reader.readuntil(b"}")

    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request-timeout"' in answer
