"""What cannot be decrypted is one secret's fault, and is told as that."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ringback.secretbox import SecretBox, new_key
from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import open_store
from ringback_schemas.endpoints import (
    ArmedEndpoint,
    DisabledReason,
    EndpointRecord,
    UnreadableEndpoint,
    UnreadableHeaders,
)
from ringback_schemas.ids import DEFAULT_TENANT
from tests.conformance.store.ageing import changed
from tests.conformance.store.conftest import SEALING_KEY
from tests.conformance.store.making import SETTINGS, registered

HEADERS = (("authorization", "Bearer t0p"), ("x-team", "a"))
WITH_HEADERS = replace(SETTINGS, headers=HEADERS)


@pytest.fixture
async def keyless(database_url: str, store: Store) -> AsyncIterator[Store]:
    """The same database for somebody who has lost the keys."""
    async with open_store(database_url, secret_box=SecretBox([new_key()])) as opened:
        yield opened


async def test_tenant_secret_that_opens_with_no_key(store: Store, database_url: str) -> None:
    """It is named; the secret is not."""
    await changed(database_url, "signing_secrets", sealed=b"rubbish")

    with pytest.raises(SecretUnreadable, match=r"the signing secret sec_\w+ cannot be read"):
        await store.signing_secrets(DEFAULT_TENANT)


async def test_endpoint_that_cannot_be_armed_does_not_keep_others_from_it(store: Store, database_url: str) -> None:
    """One was made with a key that is gone; the other, asked for in the same call, is armed."""
    fine = await registered(store)
    async with open_store(database_url, secret_box=SecretBox([new_key(), SEALING_KEY])) as elsewhere:
        spoilt = await registered(elsewhere)

    first, second = await store.arm_endpoints([spoilt.id, fine.id])

    assert isinstance(first, UnreadableEndpoint)
    assert first.endpoint == spoilt
    assert isinstance(second, ArmedEndpoint)


async def test_endpoint_whose_headers_open_with_no_key(store: Store, database_url: str) -> None:
    """It cannot be sent to without them, and is known all the same."""
    endpoint = await registered(store, SETTINGS)
    await changed(database_url, "endpoints", sealed_headers=b"rubbish")

    (armed,) = await store.arm_endpoints([endpoint.id])

    assert isinstance(armed, UnreadableEndpoint)
    assert armed.endpoint == replace(endpoint, settings=replace(SETTINGS, headers=UnreadableHeaders(armed.reason)))
    assert f"the headers of endpoint {endpoint.id}" in armed.reason


async def test_armed_endpoint_has_its_headers(store: Store) -> None:
    """Those that can be read, beside what may not be readable in its settings."""
    endpoint = await registered(store, WITH_HEADERS)

    (armed,) = await store.arm_endpoints([endpoint.id])

    assert isinstance(armed, ArmedEndpoint)
    assert armed.headers == HEADERS
    assert "t0p" not in repr(armed)


async def test_endpoint_with_unreadable_headers_is_shown(store: Store, keyless: Store) -> None:
    """Alone and in the list, with all that can be read and a reason for the rest."""
    endpoint = await registered(store, WITH_HEADERS)

    shown = await found(keyless, endpoint)

    headers = shown.settings.headers
    assert isinstance(headers, UnreadableHeaders)
    assert f"the headers of endpoint {endpoint.id} cannot be read" in headers.reason
    assert shown == replace(endpoint, settings=replace(WITH_HEADERS, headers=headers))
    assert await keyless.list_endpoints(DEFAULT_TENANT, None, 10) == [shown]


async def test_change_leaves_unreadable_headers_as_they_are(store: Store, keyless: Store) -> None:
    """With the key back they are what they were."""
    endpoint = await registered(store, WITH_HEADERS)
    seen = await found(keyless, endpoint)

    settings = replace(seen.settings, description="changed")
    changed_there = await keyless.update_endpoint(DEFAULT_TENANT, endpoint.id, seen.version, settings)

    assert changed_there is not None
    assert changed_there.settings == settings
    assert (await found(store, endpoint)).settings == replace(WITH_HEADERS, description="changed")


@pytest.mark.parametrize("headers", [(), (("x-new", "1"),)])
async def test_unreadable_headers_can_be_given_anew(
    store: Store, keyless: Store, headers: tuple[tuple[str, str], ...]
) -> None:
    """Or be done without: no key is needed for that."""
    endpoint = await registered(store, WITH_HEADERS)
    seen = await found(keyless, endpoint)

    settings = replace(seen.settings, headers=headers)
    await keyless.update_endpoint(DEFAULT_TENANT, endpoint.id, seen.version, settings)

    assert (await found(keyless, endpoint)).settings.headers == headers


async def test_endpoint_with_unreadable_headers_is_switched(store: Store, keyless: Store) -> None:
    """Disabling and enabling it needs no header."""
    endpoint = await registered(store, WITH_HEADERS)

    off = await keyless.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    on = await keyless.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert off is not None
    assert on is not None
    assert (off.is_enabled, on.is_enabled) == (False, True)


async def found(store: Store, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as that store sees it."""
    record = await store.get_endpoint(endpoint.tenant_id, endpoint.id)
    assert record is not None
    return record
