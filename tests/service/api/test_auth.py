"""Keys, scopes, tenants."""

import asyncio
import re

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.http import KeyBody, SigningSecretsBody
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.tenants import ALL_SCOPES, Scope
from ringback_service.api.auth import Authenticator
from ringback_service.api.routes import ROUTES
from ringback_service.api.routing import Guarded, Route
from tests.service.api.conftest import KEY, Api

GUARDED = [route for route in ROUTES if isinstance(route.endpoint, Guarded)]
ID = {"jobs": "job", "deliveries": "dlv", "keys": "key"}


def _path(route: Route) -> str:
    kind = ID.get(route.path.split("/")[2], "job")
    return re.sub(r"\{\w+\}", f"{kind}_01kb3v4r6de0qv8t3kq1x1m9za", route.path)


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", GUARDED, ids=_name)
async def test_route_without_key_is_a_401(api: Api, route: Route) -> None:
    """The answer says how to ask."""
    reply = await api.call(route.method, _path(route), key=None)

    assert reply.problem == (401, "unauthenticated")
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="ringback"'


@pytest.mark.parametrize("route", GUARDED, ids=_name)
async def test_route_without_its_scope_is_a_403_that_names_it(api: Api, route: Route) -> None:
    """A key with every other scope is not enough."""
    assert isinstance(route.endpoint, Guarded)
    scope = route.endpoint.scope
    key = await api.key_with(*(ALL_SCOPES - {scope}))

    reply = await api.call(route.method, _path(route), key=key)

    assert reply.problem == (403, "forbidden")
    assert scope.value in reply.body["detail"]
    assert f'scope="{scope.value}"' in reply.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic cmJrXw==", "Bearer rbk_wrong", KEY, f"Bearer {'x' * 2000}", "Bearer ü"]
)
async def test_key_that_is_none_is_a_401(api: Api, header: str) -> None:
    """Whatever the header holds."""
    reply = await api.call("GET", "/v1/jobs", key=None, headers={"Authorization": header})

    assert reply.problem == (401, "unauthenticated")


async def test_scheme_is_taken_in_any_case(api: Api) -> None:
    """RFC 9110, 11.1."""
    reply = await api.call("GET", "/v1/jobs", key=None, headers={"Authorization": f"bearer {KEY}"})

    assert reply.status == 200


async def test_key_is_made_shown_once_and_works(api: Api) -> None:
    """The list shows it without its secret."""
    made = await api.call("POST", "/v1/keys", json={"name": "ci", "scopes": ["jobs:read"]})
    listed = await api.call("GET", "/v1/keys")

    assert (made.status, made.body["tenant_id"], made.body["scopes"]) == (201, DEFAULT_TENANT, ["jobs:read"])
    assert made.body["key"].startswith("rbk_")
    assert (await api.call("GET", "/v1/jobs", key=made.body["key"])).status == 200
    assert KeyBody.model_validate(listed.body["items"][-1]).id == made.body["id"]
    assert made.body["key"] not in str(listed.body)


async def test_revoked_key_is_a_401_at_once(api: Api) -> None:
    """The process that revokes it does not remember it."""
    made = (await api.call("POST", "/v1/keys", json={"name": "ci", "scopes": ["jobs:read"]})).body
    assert (await api.call("GET", "/v1/jobs", key=made["key"])).status == 200

    revoked = await api.call("DELETE", f"/v1/keys/{made['id']}")

    assert (revoked.status, revoked.body["revoked_at"] is None) == (200, False)
    assert (await api.call("GET", "/v1/jobs", key=made["key"])).problem == (401, "unauthenticated")


async def test_key_for_another_tenant_sees_that_tenant(api: Api) -> None:
    """An administrator makes tenants, and keys for them."""
    await api.submit()
    tenant = (await api.call("POST", "/v1/tenants", json={"name": "Acme"})).body
    asked = {"name": "acme", "scopes": ["jobs:read"], "tenant_id": tenant["id"]}
    key = (await api.call("POST", "/v1/keys", json=asked)).body["key"]

    assert (await api.call("GET", "/v1/jobs", key=key)).body["items"] == []
    assert [found["name"] for found in (await api.call("GET", "/v1/tenants")).body["items"]] == ["default", "Acme"]
    assert len((await api.call("GET", f"/v1/keys?tenant_id={tenant['id']}")).body["items"]) == 1


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"name": "", "scopes": ["jobs:read"]}, ["/name"]),
        ({"name": "x", "scopes": []}, ["/scopes"]),
        ({"name": "x", "scopes": ["root"]}, ["/scopes/0"]),
        ({"scopes": ["admin"]}, ["/name"]),
    ],
)
async def test_key_that_cannot_be_made_is_a_422(api: Api, body: dict[str, object], places: list[str]) -> None:
    """With pointers, as everywhere."""
    reply = await api.call("POST", "/v1/keys", json=body)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), places)


@pytest.mark.parametrize("tenant_id", ["acme", "ten_01kb3v4r6de0qv8t3kq1x1m9za"])
async def test_key_for_an_unknown_tenant_is_a_404(api: Api, tenant_id: str) -> None:
    """No key without a tenant."""
    asked = {"name": "x", "scopes": ["jobs:read"], "tenant_id": tenant_id}

    assert (await api.call("POST", "/v1/keys", json=asked)).problem == (404, "tenant-not-found")


async def test_unknown_key_cannot_be_revoked(api: Api) -> None:
    """A 404."""
    reply = await api.call("DELETE", "/v1/keys/key_01kb3v4r6de0qv8t3kq1x1m9za")

    assert reply.problem == (404, "key-not-found")


async def test_signing_secrets_are_those_of_the_own_tenant(api: Api) -> None:
    """In the form that Standard Webhooks libraries take; nobody keeps the answer."""
    mine = await api.call("GET", "/v1/signing-secret")
    theirs = await api.call("GET", "/v1/signing-secret", key=await api.stranger())

    (secret,) = SigningSecretsBody.model_validate(mine.body).secrets
    assert secret.secret is not None
    assert secret.secret.startswith("whsec_")
    assert (secret.expires_at, secret.public_key) == (None, None)
    assert mine.headers["Cache-Control"] == "no-store"
    assert theirs.body["secrets"][0]["secret"] != secret.secret
    assert secret.secret not in repr(secret)


async def test_key_is_looked_up_once_for_many_requests(api: Api, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests at the same time, and shortly after, share one question to the store."""
    asked: list[bytes] = []
    find_key = store.find_key

    async def counted(key_hash: bytes) -> object:
        asked.append(key_hash)
        return await find_key(key_hash)

    monkeypatch.setattr(store, "find_key", counted)
    authenticator = Authenticator(store)

    await asyncio.gather(*[authenticator.authorise(f"Bearer {KEY}", Scope.ADMIN) for _ in range(20)])
    await authenticator.authorise(f"Bearer {KEY}", Scope.ADMIN)

    assert len(asked) == 1
