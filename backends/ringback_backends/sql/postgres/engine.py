"""The connections for queries in SQLAlchemy Core."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.sql.errors import driver_error, translated
from ringback_backends.sql.postgres.connecting import Connector
from ringback_backends.sql.postgres.pool import ROLLED_BACK

T = TypeVar("T")

RELAXED = text("SET LOCAL synchronous_commit = off")


class PostgresDatabase:
    """A ``Database`` over PostgreSQL."""

    def __init__(self, dsn: str, size: int, *, deadline_s: float) -> None:
        """Opens nothing until the first query."""
        self._deadline_s = deadline_s
        self._is_closed = False
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=Connector(dsn),
            pool_size=size,
            max_overflow=0,
            pool_timeout=deadline_s,
        )
        event.listen(self._engine.sync_engine, "checkout", _refuse_closed)
        self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    async def read(self, operation: str, query: Callable[[Connection], T]) -> T:
        """See ``Database.read``."""
        with self._guarded(operation):
            async with asyncio.timeout(self._deadline_s), self._reader.connect() as connection:
                return await connection.run_sync(query)

    async def write(self, operation: str, query: Callable[[Connection], T], *, is_relaxed: bool = False) -> T:
        """See ``Database.write``."""
        with self._guarded(operation):
            try:
                return await self._write(query, is_relaxed=is_relaxed)
            except DBAPIError as error:
                if not isinstance(driver_error(error), ROLLED_BACK):
                    raise
            # see ``pool.ROLLED_BACK``; a second time is an outage
            return await self._write(query, is_relaxed=is_relaxed)

    async def _write(self, query: Callable[[Connection], T], *, is_relaxed: bool) -> T:
        async with asyncio.timeout(self._deadline_s), self._engine.begin() as connection:
            if is_relaxed:
                await connection.execute(RELAXED)
            return await connection.run_sync(query)

    @contextmanager
    def _guarded(self, operation: str) -> Iterator[None]:
        if self._is_closed:
            # the engine would open connections again
            raise StoreUnavailable(operation, "it is closed")
        with translated(operation):
            yield

    async def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._is_closed = True
        with translated("close"):
            await self._engine.dispose()


def _refuse_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Has the pool replace a connection that the server closed while it lay idle: seen without a round trip."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError
