"""Reads the feed, and waits for what is to come. While it waits it holds no connection of the store."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from ringback_backends.contracts.feed import FeedStore
from ringback_schemas.events import EventPage
from ringback_schemas.ids import TenantId

LOOK_EVERY_S = 0.5
"""How soon a waiting request hears of an event, at the latest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks of the feed."""

    tenant_id: TenantId
    after: int
    limit: int
    patterns: tuple[str, ...] = ()


class Feed:
    """Shows pages of events. All who wait share one look at the store, twice a second, however many they are."""

    def __init__(self, store: FeedStore, draining: asyncio.Event) -> None:
        """Nobody waits any longer once ``draining`` is set."""
        self._store = store
        self._draining = draining
        self._looking = asyncio.Lock()
        self._looked_at = 0.0
        self._newest = 0
        self.waiting = 0
        """How many wait now."""

    async def read(self, wanted: Wanted, wait_s: float, is_gone: Callable[[], bool]) -> EventPage:
        """A page; an empty one only after ``wait_s`` seconds, or when there is more to look at.

        Args:
            wanted: What is asked for.
            wait_s: How long to wait for an event when there is none.
            is_gone: Whether nobody waits for the answer any more.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        ends_at = time.monotonic() + wait_s
        until = await self._store.settled_events()
        while True:
            page = await self._store.read_events(wanted.tenant_id, wanted.after, until, wanted.limit, wanted.patterns)
            if page.events or page.has_more:
                return page
            self.waiting += 1
            try:
                newer = await self._news(until, ends_at, is_gone)
            finally:
                self.waiting -= 1
            if newer is None:
                return page
            until = newer

    async def _news(self, known: int, ends_at: float, is_gone: Callable[[], bool]) -> int | None:
        """How far the feed is settled once that is further than known; absent when the waiting is over."""
        while (left_s := ends_at - time.monotonic()) > 0 and not self._draining.is_set() and not is_gone():
            await self._pause(min(left_s, LOOK_EVERY_S))
            newest = await self._look()
            if newest > known:
                return newest
        return None

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            pass

    async def _look(self) -> int:
        """How far the feed is settled, as of less than a pause ago."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= LOOK_EVERY_S / 2:
                self._newest = await self._store.settled_events()
                self._looked_at = time.monotonic()
            return self._newest
