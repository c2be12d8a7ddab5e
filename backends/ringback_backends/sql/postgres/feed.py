"""How far the feed is settled in PostgreSQL: docs/decisions/0007 argues it."""

import asyncio
import time
from typing import Any

from sqlalchemy import Connection, Row, text

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.sql.database import Database

SETTLE_WITHIN_S = 0.5
"""How long those who are writing events are waited for: many times what ending a batch of jobs takes."""

PAUSE_S = 0.005

# One statement: its snapshot is taken before it looks at the locks. Whoever has an event before the newest one in the
# snapshot drew its number earlier, and locked the table earlier still. So it is among the writers, or it ended before
# they were looked at, and every later statement sees what it wrote.
LOOK = text("""
SELECT coalesce((SELECT max(seq) FROM events), 0) AS newest,
       ARRAY(SELECT virtualtransaction FROM pg_locks
             WHERE locktype = 'relation' AND relation = 'events'::regclass AND mode = 'RowExclusiveLock'
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS writers
""")


class PostgresFeed:
    """Tells what can no longer be preceded."""

    _database: Database
    _settled: int | None = None

    async def settled_events(self) -> int:
        """See ``FeedStore.settled_events``."""
        newest, writers = await self._look()
        give_up_at = time.monotonic() + SETTLE_WITHIN_S
        while writers:
            if time.monotonic() >= give_up_at:
                return self._as_known()
            await asyncio.sleep(PAUSE_S)
            writers &= (await self._look())[1]
        self._settled = newest
        return newest

    def _as_known(self) -> int:
        """Where things stood when nobody was writing; an event of those who now are can only come behind it."""
        if self._settled is None:
            raise StoreUnavailable("settled_events", "a transaction that writes events does not end")
        return self._settled

    async def _look(self) -> tuple[int, set[str]]:
        row = await self._database.read("settled_events", _look)
        return row.newest, set(row.writers)


def _look(connection: Connection) -> Row[Any]:
    return connection.execute(LOOK).one()
