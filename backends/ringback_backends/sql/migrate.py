"""Bringing a database to the schema of this program."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from ringback_backends.contracts.errors import SchemaMismatch
from ringback_backends.sql.errors import REVISION
from ringback_backends.sql.opening import opened_database
from ringback_backends.sql.schema import found_revision

DEADLINE_S = 3600.0
"""A migration may rewrite large tables."""

_LOCK = text("SELECT pg_advisory_xact_lock(7464224236)")
"""Any number would do; this one spells RINGBACK on a telephone."""


async def migrate(database_url: str) -> str:
    """The schema's revision, which is the newest then. Safe to call twice, and by several processes at once.

    All migrations run in one transaction: after a failure the database is as it was.

    Raises:
        InvalidDatabaseUrl: the address names no database.
        StoreUnavailable: the database does not answer.
        SchemaMismatch: the schema is newer than this program.
    """
    async with opened_database(database_url, size=1, deadline_s=DEADLINE_S) as database:
        return await database.write("migrate", _upgrade)


def config() -> Config:
    """Alembic's settings: the migrations that lie in the package."""
    settings = Config()
    settings.set_main_option("script_location", "ringback_backends.sql:migrations")
    settings.set_main_option("path_separator", "os")
    return settings


def _upgrade(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK)
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    found = found_revision(connection)
    if found == REVISION:
        return found
    if found is not None and found > REVISION:
        raise SchemaMismatch(found, REVISION)
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
    return REVISION
