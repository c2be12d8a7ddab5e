"""The part of the store's contract that shows a tenant's events in their order: the pull feed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ringback_schemas.events import EventPage
from ringback_schemas.ids import TenantId


class FeedStore(Protocol):
    """Shows events in the order of their places.

    A place is a number that an event has for good, over restarts, dumps and restores. It is given out before the event
    can be seen, so events may become visible in another order. *Settled* is what no event can come before any more:
    whoever reads no further than that, and goes on where it ended, skips nothing and sees nothing twice.
    """

    async def settled_events(self) -> int:
        """The place of the newest settled event, of whatever tenant; 0 when there is none.

        What was stored before this was called is settled, unless a transaction that was under way then still is after
        half a second: as long as that lasts, the answer is where things stood before it.

        Raises:
            StoreUnavailable: also when there is such a transaction and this store never knew where things stood.
        """

    async def read_events(
        self, tenant_id: TenantId, after: int, until: int, limit: int, patterns: Sequence[str] = ()
    ) -> EventPage:
        """The tenant's events behind ``after`` and up to ``until``, in order; at most ``limit``.

        ``until`` is what ``settled_events`` gave. ``patterns`` are as in ``endpoints.wants``. A page may have fewer
        events than there are, or none, and more behind it: one call looks at a bounded number of events.
        """

    async def last_place(self, tenant_id: TenantId, until: int) -> int:
        """The place of the tenant's newest event up to ``until``; 0 when there is none."""

    async def place_before(self, tenant_id: TenantId, moment: datetime, until: int) -> int:
        """A place behind which are all of the tenant's events that were stored at that moment or later.

        Nothing older is behind it but what was stored at about the same time.
        """
