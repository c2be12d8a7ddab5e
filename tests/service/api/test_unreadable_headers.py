"""Endpoints whose headers open with none of the keys there are, over the API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.secretbox import SecretBox, new_key
from ringback.webhooks import new_secret
from ringback_backends.sql import open_store
from ringback_schemas.endpoints import EndpointRecord, EndpointSettings, NewSecret, SigningScheme
from ringback_schemas.ids import DEFAULT_TENANT, new_endpoint_id, new_secret_id
from tests.service.api.conftest import Api

URL = "https://192.0.2.1/hook"
ELSEWHERE = "https://192.0.2.9/hook"
HEADERS = (("authorization", "Bearer t0p"), ("x-team", "a"))


@pytest.fixture
async def sealed(api: Api, tmp_path: Path) -> AsyncIterator[EndpointRecord]:
    """An endpoint that was made with a key which the front end does not have."""
    settings = EndpointSettings(URL, "https://192.0.2.1:443", headers=HEADERS)
    secret = NewSecret(new_secret_id(), new_secret(), SigningScheme.V1)
    async with open_store(f"sqlite:///{tmp_path}/ringback.db", secret_box=SecretBox([new_key()])) as store:
        made = await store.create_endpoint(DEFAULT_TENANT, new_endpoint_id(), settings, secret)
        assert made is not None
        yield made


async def test_endpoint_is_shown_and_says_so(api: Api, sealed: EndpointRecord) -> None:
    """Alone and in the list; nothing is made up in place of its headers."""
    reply = await api.call("GET", f"/v1/endpoints/{sealed.id}")

    assert reply.status == 200
    assert (reply.body["url"], reply.body["headers"], reply.body["has_unreadable_headers"]) == (URL, {}, True)
    assert (await api.call("GET", "/v1/endpoints")).body["items"] == [reply.body]


async def test_endpoint_with_readable_headers_says_so(api: Api) -> None:
    """Also when it has none."""
    reply = await api.call("POST", "/v1/endpoints", json={"url": URL})

    assert (reply.status, reply.body["has_unreadable_headers"]) == (201, False)


async def test_patch_of_something_else_keeps_them(api: Api, sealed: EndpointRecord) -> None:
    """Whoever changes a description loses no credentials by it."""
    reply = await api.call("PATCH", f"/v1/endpoints/{sealed.id}", json={"description": "new", "url": URL + "/v2"})

    assert (reply.status, reply.body["description"], reply.body["has_unreadable_headers"]) == (200, "new", True)


@pytest.mark.parametrize("headers", [{}, {"x-new": "1"}])
async def test_patch_puts_readable_ones_in_their_place(
    api: Api, sealed: EndpointRecord, headers: dict[str, str]
) -> None:
    """That is the way out when the key is gone for good; also to another destination."""
    reply = await api.call("PATCH", f"/v1/endpoints/{sealed.id}", json={"url": ELSEWHERE, "headers": headers})

    assert (reply.status, reply.body["headers"], reply.body["has_unreadable_headers"]) == (200, headers, False)


@pytest.mark.parametrize(
    ("change", "place", "why"),
    [
        ({"url": ELSEWHERE}, "/headers", "they cannot be read, and some may be credentials"),
        ({"headers": {"authorization": "***"}}, "/headers/authorization", "there is none that can be read"),
    ],
)
async def test_patch_is_refused_where_it_would_need_them(
    api: Api, sealed: EndpointRecord, change: dict[str, Any], place: str, why: str
) -> None:
    """Unknown headers go along to no other destination, and no value can be taken over from them."""
    reply = await api.call("PATCH", f"/v1/endpoints/{sealed.id}", json=change)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [place])
    assert why in reply.body["errors"][0]["detail"]


@pytest.mark.parametrize(("action", "is_enabled"), [("disable", False), ("enable", True)])
async def test_endpoint_is_switched(api: Api, sealed: EndpointRecord, action: str, is_enabled: bool) -> None:  # noqa: FBT001 - a parameter
    """Neither takes its headers."""
    reply = await api.call("POST", f"/v1/endpoints/{sealed.id}/{action}")

    assert (reply.status, reply.body["enabled"]) == (200, is_enabled)


async def test_endpoint_is_deleted(api: Api, sealed: EndpointRecord) -> None:
    """It is nobody's duty to find the key first."""
    assert (await api.call("DELETE", f"/v1/endpoints/{sealed.id}")).status == 204
