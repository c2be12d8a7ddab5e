"""What a front end makes in a fresh store: the default tenant, and the key of its settings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.secretbox import SecretBox, new_key
from ringback_backends.contracts.store import Store
from ringback_backends.sql import migrate, open_store
from ringback_schemas.audit import BOOTSTRAP_ACTOR, AuditAction
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.tenants import ALL_SCOPES
from ringback_service.bootstrap import bootstrap

KEY = "rbk_bootstrap_of_this_test"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh one, in a file."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    await migrate(url)
    async with open_store(url, secret_box=SecretBox([new_key()])) as store:
        yield store


async def test_bootstrap_makes_one_key_and_puts_it_on_record_once(store: Store) -> None:
    """However often the front end starts."""
    await bootstrap(store, KEY)
    await bootstrap(store, KEY)

    (key,) = await store.list_keys(DEFAULT_TENANT)
    (entry,) = await store.list_audit(DEFAULT_TENANT, None, 10)
    assert (key.name, key.scopes) == ("bootstrap", ALL_SCOPES)
    assert (entry.actor, entry.action, entry.target) == (BOOTSTRAP_ACTOR, AuditAction.KEY_CREATED, key.id)


async def test_bootstrap_without_a_key_makes_none(store: Store) -> None:
    """The tenant is there, for the command line to make keys of."""
    await bootstrap(store, None)

    assert await store.get_tenant(DEFAULT_TENANT) is not None
    assert await store.list_keys(DEFAULT_TENANT) == []
    assert await store.list_audit(DEFAULT_TENANT, None, 10) == []
