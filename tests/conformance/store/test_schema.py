"""Migrations, ``ping``, opening and closing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ringback.secretbox import SecretBox
from ringback_backends.contracts.errors import SchemaMismatch, StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import InvalidDatabaseUrl, is_sqlite, migrate, open_store
from ringback_backends.sql.errors import REVISION
from ringback_backends.sql.migrate import config
from ringback_backends.sql.opening import opened_database
from ringback_backends.sql.tables import metadata
from tests.conformance.store.conftest import SEALING_KEY
from tests.conformance.store.making import job
from tests.servers import fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table, or one that is not even there (SQLite)."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/some/folder/store.db"
        return
    with fresh_database(request.getfixturevalue("postgres_server_url")) as url:
        yield url


async def _set_revision(url: str, revision: str) -> None:
    statement = text("UPDATE alembic_version SET version_num = :revision").bindparams(revision=revision)
    async with opened_database(url, size=1, deadline_s=10) as database:
        await database.write("test", lambda connection: connection.execute(statement).close())


async def test_migrate_makes_what_the_queries_know(empty_url: str) -> None:
    """The migrations and the tables of the queries describe one schema."""
    await migrate(empty_url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with opened_database(empty_url, size=1, deadline_s=10) as database:
        found = await database.read("test", differences)

    # jobs_waiting has an expression, which SQLAlchemy cannot read back
    assert [difference for difference in found if "jobs_waiting" not in str(difference)] == []


async def test_migrate_twice_is_harmless(empty_url: str) -> None:
    """A database that is up to date stays as it is."""
    assert await migrate(empty_url) == REVISION
    assert await migrate(empty_url) == REVISION


async def test_migrate_by_several_at_once(empty_url: str) -> None:
    """Processes that start together migrate once."""
    assert await asyncio.gather(*(migrate(empty_url) for _ in range(4))) == [REVISION] * 4


async def test_migrate_leaves_a_newer_schema_alone(empty_url: str) -> None:
    """A program that is older than the schema says so and changes nothing."""
    await migrate(empty_url)
    await _set_revision(empty_url, "9999")

    with pytest.raises(SchemaMismatch, match="too old"):
        await migrate(empty_url)


def test_revision_is_the_newest_migration() -> None:
    """What the program wants is what its migrations lead to."""
    assert ScriptDirectory.from_config(config()).get_current_head() == REVISION


async def test_ping_gives_the_revision(store: Store) -> None:
    """A store that answers and is ours."""
    assert await store.ping() == REVISION


async def test_ping_wants_a_migration(empty_url: str) -> None:
    """An empty database is told from one that is away."""
    async with open_store(empty_url, secret_box=SecretBox([SEALING_KEY])) as opened:
        with pytest.raises(SchemaMismatch, match="ringback migrate"):
            await opened.ping()


async def test_ping_refuses_a_newer_schema(empty_url: str) -> None:
    """A schema of a later program is not ours."""
    await migrate(empty_url)
    await _set_revision(empty_url, "9999")

    async with open_store(empty_url, secret_box=SecretBox([SEALING_KEY])) as opened:
        with pytest.raises(SchemaMismatch, match="too old"):
            await opened.ping()


async def test_close_twice_is_harmless(store: Store) -> None:
    """Closing is safe to repeat, and a closed store says that it is."""
    await store.close()
    await store.close()

    with pytest.raises(StoreUnavailable):
        await store.accept([job()])
    with pytest.raises(StoreUnavailable):
        await store.list_tenants()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///ringback-data/ringback.db", True),
        ("sqlite+aiosqlite:////var/lib/x.db", True),
        ("postgresql://u:p@h/d", False),
        ("postgres://h:5433/d?sslmode=require", False),
    ],
)
def test_addresses_are_read_as_users_write_them(url: str, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """Both kinds of database, in the spellings in use."""
    assert is_sqlite(url) is expected


@pytest.mark.parametrize("url", ["", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgresql", "/var/lib/x.db"])
def test_other_addresses_are_refused_without_showing_them(url: str) -> None:
    """What names no database we can use is refused; the message holds no password."""
    with pytest.raises(InvalidDatabaseUrl) as refusal:
        is_sqlite(url.replace("//h", "//u:secret@h"))

    assert "secret" not in str(refusal.value)
