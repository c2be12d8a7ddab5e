"""The connections for set-based statements: asyncpg's pool without its round trips."""

import asyncio
from typing import Any

import asyncpg

from ringback_backends.sql.errors import translated
from ringback_backends.sql.postgres.connecting import PLANS, Connector

ROLLED_BACK = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""The whole transaction is undone, so trying it again is safe. Locks are taken in id order: it is hardly ever met."""

Rows = list[Any]
"""asyncpg's records: they index, slice and unpack as tuples do."""


class Pool:
    """Runs one statement at a time on a connection, each a transaction of its own: one round trip.

    A connection that was cut, or whose answer did not come in time, is dropped; the next call opens another.
    """

    def __init__(self, dsn: str, size: int, deadline_s: float) -> None:
        """``open`` it before use."""
        self._dsn = dsn
        self._size = size
        self._deadline_s = deadline_s
        self._pool: asyncpg.Pool | None = None

    async def fetch(self, operation: str, statement: str, *arguments: Any) -> Rows:
        """The rows of one statement.

        Raises:
            RowRefused: the database will not have a value.
            StoreUnavailable: no answer in time; the statement may or may not have been committed.
        """
        with translated(operation):
            try:
                return await self._fetch(statement, arguments)
            except ROLLED_BACK:
                # a second time is an outage
                return await self._fetch(statement, arguments)

    async def _fetch(self, statement: str, arguments: tuple[Any, ...]) -> Rows:
        pool = self._pool
        if pool is None:
            raise asyncpg.InterfaceError("the store is not open")
        async with asyncio.timeout(self._deadline_s):
            connection = await pool.acquire()
            try:
                rows: Rows = await connection.fetch(statement, *arguments)
            except (TimeoutError, asyncio.CancelledError):
                # It may be half-way through an answer, or blackholed: waiting for a cancel request to be answered, as
                # a release would, has no bound.
                connection.terminate()
                raise
            finally:
                await pool.release(connection)
            return rows

    async def open(self) -> None:
        """Get ready; connects to nothing yet, so that a process may start before its database."""
        self._pool = await asyncpg.create_pool(
            connect=Connector(self._dsn, PLANS),
            min_size=0,
            max_size=self._size,
            max_queries=10**9,
            max_inactive_connection_lifetime=0,
            reset=_leave_as_it_is,
        )

    async def close(self) -> None:
        """Close all connections, within bounds. Safe to call twice."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(self._deadline_s):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Stands in for the pool's reset query: our statements leave nothing in a session, and it costs a round trip."""
