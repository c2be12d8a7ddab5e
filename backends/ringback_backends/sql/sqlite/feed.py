"""How far the feed is settled in SQLite: always to its end, for one writer at a time draws numbers and commits."""

from sqlalchemy import func, select

from ringback_backends.sql.database import Database
from ringback_backends.sql.tables import events

NEWEST = select(func.coalesce(func.max(events.c.seq), 0))


class SqliteFeed:
    """Tells what can no longer be preceded."""

    _database: Database

    async def settled_events(self) -> int:
        """See ``FeedStore.settled_events``."""
        newest: int = await self._database.read(
            "settled_events", lambda connection: connection.execute(NEWEST).scalar_one()
        )
        return newest
