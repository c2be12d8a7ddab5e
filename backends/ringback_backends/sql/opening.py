"""Opening databases and stores by address: the one place that chooses between PostgreSQL and SQLite."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from ringback_backends.contracts.store import Store
from ringback_backends.sql.database import DEADLINE_S, Database
from ringback_backends.sql.postgres.engine import PostgresDatabase
from ringback_backends.sql.postgres.store import PostgresStore
from ringback_backends.sql.signing import SecretBox
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_backends.sql.sqlite.sole import sole_server
from ringback_backends.sql.sqlite.store import SqliteStore
from ringback_backends.sql.urls import is_sqlite, postgres_dsn, sqlite_path

READERS = 2
"""Connections that read a SQLite file beside the one that writes."""


@asynccontextmanager
async def opened_database(database_url: str, *, size: int, deadline_s: float) -> AsyncIterator[Database]:
    """The database at that address, closed at the end; connects when first used."""
    database = _database(database_url, size, deadline_s)
    try:
        yield database
    finally:
        await database.close()


def _database(database_url: str, size: int, deadline_s: float) -> Database:
    if is_sqlite(database_url):
        return SqliteDatabase(sqlite_path(database_url), readers=READERS, deadline_s=deadline_s)
    return PostgresDatabase(postgres_dsn(database_url), size, deadline_s=deadline_s)


def served_alone(database_url: str) -> AbstractContextManager[None]:
    """While inside, no second process serves from this SQLite file; with PostgreSQL any number may.

    Raises:
        InvalidDatabaseUrl: the address names no database.
        StoreTaken: another one does.
        StoreUnavailable: the file cannot be locked.
    """
    return sole_server(sqlite_path(database_url)) if is_sqlite(database_url) else nullcontext()


@asynccontextmanager
async def open_store(
    database_url: str, *, secret_box: SecretBox, pool_size: int = 10, deadline_s: float = DEADLINE_S
) -> AsyncIterator[Store]:
    """The store at that address, closed at the end; connects when first used, so the database may be away.

    A SQLite file is made, with its directory and for this user alone, when it is not there.

    Args:
        database_url: as users write it.
        secret_box: encrypts signing secrets.
        pool_size: connections to PostgreSQL at most, at least 2; SQLite has one that writes and a few that read.
        deadline_s: longest that any call takes; parting with a connection that hangs may add two seconds.

    Raises:
        InvalidDatabaseUrl: the address names no database.
    """
    store = await _store(database_url, secret_box, pool_size, deadline_s)
    try:
        yield store
    finally:
        await store.close()


async def _store(database_url: str, secret_box: SecretBox, pool_size: int, deadline_s: float) -> Store:
    if is_sqlite(database_url):
        return SqliteStore(
            SqliteDatabase(sqlite_path(database_url), readers=READERS, deadline_s=deadline_s), secret_box
        )
    return await PostgresStore.open(postgres_dsn(database_url), pool_size, secret_box, deadline_s)
