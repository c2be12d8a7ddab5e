"""The pull feed: a tenant's events in the order of their sequence numbers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, literal, or_, select, tuple_

from ringback_backends.sql.columns import EPOCH
from ringback_backends.sql.database import Database
from ringback_backends.sql.tables import events
from ringback_schemas.events import EventPage, StoredEvent
from ringback_schemas.ids import TenantId

SCANNED = 1_000
"""Events that one call looks at when it wants only some: a filter that matches one in a million must not read a million
at once."""

DISORDER = timedelta(minutes=1)
"""``created_at`` is when a transaction began, and the sequence goes by when it wrote: so far apart they never are."""


class FeedQueries:
    """What is asked of the feed once it is known how far it is settled."""

    _database: Database

    async def read_events(
        self, tenant_id: TenantId, after: int, until: int, limit: int, patterns: Sequence[str] = ()
    ) -> EventPage:
        """See ``FeedStore.read_events``."""
        everything = _in_order(select(events).where(_between(tenant_id, after, until)))
        if _wants_all(patterns):
            return await self._database.read(
                "read_events", lambda connection: _page(connection, everything, after, limit)
            )
        scanned = everything.limit(SCANNED).subquery()
        wanted = or_(*(_matches(scanned.c.type, pattern) for pattern in patterns))
        some = select(scanned).where(wanted).order_by(scanned.c.seq)

        def read(connection: Connection) -> EventPage:
            last, count = connection.execute(select(func.max(scanned.c.seq), func.count(scanned.c.seq))).one()
            page = _page(connection, some, after, limit)
            return page if page.has_more else EventPage(page.events, last or after, count == SCANNED)

        return await self._database.read("read_events", read)

    async def last_place(self, tenant_id: TenantId, until: int) -> int:
        """See ``FeedStore.last_place``."""
        query = _in_order(select(events.c.seq).where(_between(tenant_id, 0, until)), is_backward=True).limit(1)
        return await self._database.read(
            "last_place", lambda connection: connection.execute(query).scalar_one_or_none() or 0
        )

    async def place_before(self, tenant_id: TenantId, moment: datetime, until: int) -> int:
        """See ``FeedStore.place_before``."""

        def find(connection: Connection) -> int:
            older = _last_before(connection, tenant_id, max(moment, EPOCH + DISORDER) - DISORDER, until)
            later = select(events.c.seq).where(_between(tenant_id, older, until), events.c.created_at >= moment)
            place: int | None = connection.execute(_in_order(later).limit(1)).scalar_one_or_none()
            return until if place is None else place - 1

        return await self._database.read("place_before", find)


def _between(tenant_id: TenantId, after: int, until: int) -> ColumnElement[bool]:
    """Compares rows: only the index that begins with the tenant can be walked for that.

    With ``tenant_id = …`` a database may walk the primary key instead and throw away what is others': a small tenant
    beside a large one would pay for the whole table.
    """
    place = tuple_(events.c.tenant_id, events.c.seq)
    return and_(place > _place(tenant_id, after), place <= _place(tenant_id, until))


def _place(tenant_id: TenantId, seq: int) -> ColumnElement[Any]:
    return tuple_(literal(tenant_id, events.c.tenant_id.type), literal(seq, events.c.seq.type))


def _in_order(query: Select[Any], *, is_backward: bool = False) -> Select[Any]:
    columns = (events.c.tenant_id, events.c.seq)
    return query.order_by(*(column.desc() if is_backward else column.asc() for column in columns))


def _wants_all(patterns: Sequence[str]) -> bool:
    return not patterns or "*" in patterns


def _matches(event_type: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    # no LIKE: SQLite's knows no difference between small and capital letters
    if pattern.endswith("*"):
        return func.substr(event_type, 1, len(pattern) - 1) == pattern[:-1]
    return event_type == pattern


def _page(connection: Connection, query: Select[Any], after: int, limit: int) -> EventPage:
    """The first ``limit`` of them; it goes on behind the last, or where it began when there is none."""
    rows = connection.execute(query.limit(limit + 1)).all()
    found = tuple(_event(row) for row in rows[:limit])
    return EventPage(found, found[-1].place if found else after, len(rows) > limit)


def _last_before(connection: Connection, tenant_id: TenantId, moment: datetime, until: int) -> int:
    """A place before which everything is older, found by halving: about 2 log n probes of the index."""
    low, high = 0, until
    while low < high:
        middle = (low + high) // 2
        following = select(events.c.seq, events.c.created_at).where(_between(tenant_id, middle, until))
        row = connection.execute(_in_order(following).limit(1)).one_or_none()
        if row is None or row.created_at >= moment:
            high = middle
        else:
            low = row.seq
    return low


def _event(row: Row[Any]) -> StoredEvent:
    return StoredEvent(row.seq, row.id, row.job_id or None, row.type, row.body, row.created_at)
