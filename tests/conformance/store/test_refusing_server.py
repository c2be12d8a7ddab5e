"""A PostgreSQL that answers, and cannot be used: the error says what to do about it."""

import pytest
from sqlalchemy.engine import make_url

from ringback.secretbox import SecretBox
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.sql import migrate, open_store
from tests.conformance.store.conftest import SEALING_KEY


async def test_database_that_does_not_exist_is_told(postgres_server_url: str) -> None:
    """Not as a server that is away; by every kind of query."""
    url = make_url(postgres_server_url).set(database="ringback_no_such_database")
    async with open_store(url.render_as_string(hide_password=False), secret_box=SecretBox([SEALING_KEY])) as store:
        for call in (store.ping, store.list_tenants, lambda: store.rescue(1.0, 1, 1)):
            with pytest.raises(StoreUnavailable) as refusal:
                await call()

            assert "create it" in refusal.value.remedy
            assert "ringback_no_such_database" not in refusal.value.remedy
            assert '"ringback_no_such_database" does not exist' in str(refusal.value)


async def test_migrating_says_that_the_database_does_not_exist(postgres_server_url: str) -> None:
    """It makes the schema, not the database."""
    url = make_url(postgres_server_url).set(database="ringback_no_such_database")

    with pytest.raises(StoreUnavailable, match="create it"):
        await migrate(url.render_as_string(hide_password=False))


async def test_user_that_the_server_does_not_know_is_told(postgres_server_url: str) -> None:
    """Whoever the server lets in without a password must exist all the same."""
    url = make_url(postgres_server_url).set(username="ringback_no_such_user")
    async with open_store(url.render_as_string(hide_password=False), secret_box=SecretBox([SEALING_KEY])) as store:
        with pytest.raises(StoreUnavailable) as refusal:
            await store.ping()

    assert "RINGBACK_DATABASE_URL" in refusal.value.remedy
