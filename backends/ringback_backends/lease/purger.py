"""Purges what was kept for long enough. Runs in every process; the store lets only one at a time take a step."""

import time
from collections import Counter

import structlog

from ringback_backends.contracts.retention import RetentionStore
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.retention import Chore, Retention

SHORTEST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0

log = structlog.get_logger(__name__)


class Purger(Rounds):
    """Does the chores of retention, each walk in small steps. It takes at most half of the time of one connection."""

    name = "purger"

    def __init__(self, store: RetentionStore, retention: Retention, *, limit: int = 100) -> None:
        """``limit`` bounds what one step purges."""
        super().__init__(pause_between_walks_s(retention))
        self._store = store
        self._retention = retention
        self._limit = limit
        self._places = dict.fromkeys(Chore, "")
        self._open = set(Chore)

    async def round(self) -> bool:
        """One step of each walk that has not come to its end; True when one goes on."""
        started = time.monotonic()
        purged: Counter[str] = Counter()
        for chore in Chore:
            if chore in self._open:
                purged[chore.value] += await self._step(chore)
        if purged.total():
            log.info("purged", **+purged)
        if not self._open:
            self._open = set(Chore)
            return False
        await self.pause(time.monotonic() - started)
        return True

    async def _step(self, chore: Chore) -> int:
        step = await self._store.sweep(chore, self._retention, self._places[chore], self._limit)
        self._places[chore] = step.place
        if not step.is_more:
            self._open.discard(chore)
        return step.count


def pause_between_walks_s(retention: Retention) -> float:
    """A hundredth of what is kept for the shortest time, within a second and five minutes: 300 s with the defaults."""
    times = (retention.keep_s, retention.keys_s, retention.audit_s, retention.replays_s)
    kept = [seconds / 100 for seconds in times if seconds]
    return min(LONGEST_PAUSE_S, max(SHORTEST_PAUSE_S, min(kept, default=LONGEST_PAUSE_S)))
