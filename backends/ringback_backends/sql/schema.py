"""Which schema the database has."""

from sqlalchemy import Connection, column, inspect, select, table

from ringback_backends.contracts.errors import SchemaMismatch
from ringback_backends.sql.database import Database
from ringback_backends.sql.errors import REVISION

_VERSION = table("alembic_version", column("version_num"))


def found_revision(connection: Connection) -> str | None:
    """The revision of the database's schema; absent when nothing was ever migrated."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(select(_VERSION.c.version_num)).scalar_one_or_none()
    return revision


class SchemaQueries:
    """Whether the store answers, and is ours."""

    _database: Database

    async def ping(self) -> str:
        """See ``Store.ping``."""
        found = await self._database.read("ping", found_revision)
        if found != REVISION:
            raise SchemaMismatch(found, REVISION)
        return found
