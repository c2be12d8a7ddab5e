"""What cannot be decrypted is one secret's fault, and is told as that."""

import pytest

from ringback.secretbox import SecretBox, new_key
from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import open_store
from ringback_schemas.endpoints import ArmedEndpoint, UnreadableEndpoint
from ringback_schemas.ids import DEFAULT_TENANT
from tests.conformance.store.ageing import changed
from tests.conformance.store.conftest import SEALING_KEY
from tests.conformance.store.making import SETTINGS, registered


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
    assert armed.endpoint == endpoint
    assert f"the headers of endpoint {endpoint.id}" in armed.reason
