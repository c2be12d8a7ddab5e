"""Looks and changes that no contract offers: to make things old, and to see what is really kept."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, Update, select, update

from ringback_backends.sql.opening import opened_database
from ringback_backends.sql.tables import metadata
from ringback_schemas.ids import JobId, earliest_id
from tests.conformance.store.making import PAST

OLD_MS = int(PAST.timestamp() * 1_000)

_ENDS = {
    "jobs": "finished_at",
    "deliveries": "finished_at",
    "events": "created_at",
    "idempotency_keys": "created_at",
    "signing_secrets": "expires_at",
    "purged_jobs": "purged_at",
    "audit_log": "at",
    "replays": "finished_at",
}


def old_job_id(number: int = 0) -> JobId:
    """The id of a job that was accepted long ago; each number gives another."""
    return JobId(earliest_id("job", OLD_MS + number))


async def aged(database_url: str, *tables: str) -> None:
    """Make what ended by now have ended long ago, in these tables or in all."""
    for table in tables or _ENDS:
        column = metadata.tables[table].c[_ENDS[table]]
        await _run(database_url, update(metadata.tables[table]).where(column.is_not(None)).values({column: PAST}))


async def changed(database_url: str, table: str, **values: Any) -> None:
    """Change every row of a table."""
    await _run(database_url, update(metadata.tables[table]).values(values))


async def tables_with(database_url: str, needle: str) -> set[str]:
    """The tables that hold that text anywhere."""
    found = set()
    for table in metadata.sorted_tables:
        rows = await _rows(database_url, table)
        if any(needle in _text(value) for row in rows for value in row):
            found.add(table.name)
    return found


async def count(database_url: str, table: str) -> int:
    """How many rows it has."""
    return len(await _rows(database_url, metadata.tables[table]))


async def _run(database_url: str, statement: Update) -> None:
    async with opened_database(database_url, size=1, deadline_s=10) as database:
        await database.write("test", lambda connection: connection.execute(statement).close())


async def _rows(database_url: str, table: Table) -> Sequence[Any]:
    def read(connection: Connection) -> Sequence[Any]:
        return connection.execute(select(table)).all()

    async with opened_database(database_url, size=1, deadline_s=10) as database:
        return await database.read("test", read)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
