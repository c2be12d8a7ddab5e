"""The connections for set-based statements: asyncpg's pool without its round trips."""

import asyncio
from typing import Any

import asyncpg

from ringback_backends.sql.errors import translated
from ringback_backends.sql.postgres.connecting import PLANS, Connector

ROLLED_BACK = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""The whole transaction is undone, so trying it again is safe. Locks are taken in id order: it is hardly ever met."""

SLOW_S = 0.05
"""A statement that takes longer may have an outdated plan; a slow disk is more likely, but a plan costs less."""
REPLAN_AGAIN_S = 1.0
"""At most so often are plans made anew for that reason."""
REPLAN_FIRST_S, REPLAN_LAST_S = 0.25, 60.0
"""And without a reason after so long, doubled each time up to the last: tables grow fastest at the beginning."""

Rows = list[Any]
"""asyncpg's records: they index, slice and unpack as tuples do."""


class Pool:
    """Runs one statement at a time on a connection, each a transaction of its own: one round trip.

    A connection that was cut, or whose answer did not come in time, is dropped; the next call opens another.

    Plans are kept for as long as a connection lives. One that was made while a table was empty reads all of it for each
    row (``PLANS`` does not keep PostgreSQL from that), and would go on to until the next ANALYZE while a burst fills
    the table. So plans are made anew from time to time, and when a statement was slow, by the tables' size then.
    """

    def __init__(self, dsn: str, size: int, deadline_s: float) -> None:
        """``open`` it before use."""
        self._dsn = dsn
        self._size = size
        self._deadline_s = deadline_s
        self._pool: asyncpg.Pool | None = None
        self._generation = 0
        self._replanned_at = 0.0
        self._replan_after_s = REPLAN_FIRST_S
        self._plans: dict[int, int] = {}
        """Of which generation the plans of each connection are, by its server process."""

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
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(self._deadline_s):
            connection = await pool.acquire()
            try:
                await self._see_to_plans(connection)
                began_at = clock()
                rows: Rows = await connection.fetch(statement, *arguments)
                self._judge((ended_at := clock()) - began_at, ended_at)
            except (TimeoutError, asyncio.CancelledError):
                # It may be half-way through an answer, or blackholed: waiting for a cancel request to be answered, as
                # a release would, has no bound.
                connection.terminate()
                raise
            finally:
                await pool.release(connection)
            return rows

    def _judge(self, took_s: float, now: float) -> None:
        age_s = now - self._replanned_at
        if age_s > self._replan_after_s:
            self._replan_after_s = min(REPLAN_LAST_S, 2 * self._replan_after_s)
        elif took_s <= SLOW_S or age_s <= REPLAN_AGAIN_S:
            return
        self._replanned_at = now
        self._generation += 1
        self._plans.clear()

    async def _see_to_plans(self, connection: Any) -> None:
        """Forget plans that were made before something was slow; a new connection has none, which costs it a trip."""
        process = connection.get_server_pid()
        if self._plans.get(process) != self._generation:
            if self._generation:
                await connection.execute("DISCARD PLANS")
            self._plans[process] = self._generation

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
