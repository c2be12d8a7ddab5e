"""One store per back end, empty for each test."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import asyncpg
import pytest

from ringback.secretbox import SecretBox
from ringback_backends.contracts.store import Store
from ringback_backends.sql import is_sqlite, migrate, open_store
from ringback_backends.sql.tables import metadata
from ringback_backends.sql.urls import sqlite_path
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_instance_id
from tests.conformance.store.making import OTHER_TENANT
from tests.servers.databases import run_apart

EMPTYING = "; ".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))  # noqa: S608 - own names
SEALING_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database for this module."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    else:
        url = str(request.getfixturevalue("module_postgres_url"))
    run_apart(_migrate(url))
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store with two tenants and nothing else in it."""
    await empty(database_url)
    async with open_store(database_url, secret_box=SecretBox([SEALING_KEY]), pool_size=6) as opened:
        await opened.create_tenant(DEFAULT_TENANT, "first")
        await opened.create_tenant(OTHER_TENANT, "second")
        yield opened


@pytest.fixture
async def second_store(database_url: str, store: Store) -> AsyncIterator[Store]:
    """Another process's store over the same database."""
    async with open_store(database_url, secret_box=SecretBox([SEALING_KEY]), pool_size=6) as opened:
        yield opened


@pytest.fixture
def owner() -> InstanceId:
    """An instance that claims."""
    return new_instance_id()


@pytest.fixture
def rival() -> InstanceId:
    """Another instance that claims."""
    return new_instance_id()


async def _migrate(url: str) -> None:
    await migrate(url)


async def empty(url: str) -> None:
    """Delete every row."""
    if is_sqlite(url):
        await asyncio.to_thread(_empty_file, str(sqlite_path(url)))
        return
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(EMPTYING)
    finally:
        await connection.close()


def _empty_file(path: str) -> None:
    connection = sqlite3.connect(path, timeout=10)
    connection.executescript(EMPTYING)
    connection.close()
