"""The last step of an attempt, and the only one that writes: state, result, event and deliveries in one transaction."""

import asyncio
import random
from collections.abc import Sequence
from enum import StrEnum

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.broker import DELIVERIES, Queue
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.jobs import Recorded
from ringback_schemas.ids import DeliveryId
from ringback_schemas.jobs import JobOutcome

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0

log = structlog.get_logger(__name__)


class Saved(StrEnum):
    """What became of an outcome."""

    RECORDED = "recorded"
    FENCED = "fenced"
    """The job is done, or somebody else's by now: nothing of it was stored."""
    UNSAVED = "unsaved"
    """The store was away until the worker gave up: the lease will bring the job to another one."""


class Finisher:
    """Saves outcomes through group commits, and announces what follows from them."""

    def __init__(self, batcher: Batcher[JobOutcome, Recorded], announcer: Announcer) -> None:
        """``batcher`` is over ``store.finish_jobs``."""
        self._batcher = batcher
        self._announcer = announcer
        self._given_up = asyncio.Event()

    def give_up(self) -> None:
        """Wait for the store no longer. Safe to call twice."""
        self._given_up.set()

    async def save(self, outcome: JobOutcome) -> Saved:
        """Record an outcome, however long the store is away: work that is done must not be lost to its restart.

        It needs no bound of its own. While the store is away nobody can take the job away; when it is back, either our
        lease still holds, or the job was rescued and the store says *fenced*. Meanwhile each unsaved outcome keeps its
        slot, so no more than a worker's concurrency of them wait in memory.

        Raises:
            RowRefused: the store will not have this outcome.
        """
        pause_s = FIRST_PAUSE_S
        failures = 0
        while True:
            try:
                recorded = await self._batcher.submit(outcome)
            except StoreUnavailable as error:
                failures += 1
                log.warning("finish_delayed", job_id=outcome.job_id, attempt=outcome.attempt, reason=str(error))
                if await self._nap(pause_s * random.uniform(0.5, 1)):  # noqa: S311 - jitter
                    return Saved.UNSAVED
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                break
        # A transaction whose answer was lost may have been committed, and then the second try finds the job done. To
        # announce deliveries that do not exist costs nothing; not to announce those that do costs a poll's delay.
        self._announce(outcome.delivery_ids if recorded is None and failures else recorded or ())
        return Saved.FENCED if recorded is None else Saved.RECORDED

    def announce_retry(self, outcome: JobOutcome, queue: str) -> None:
        """Announce a retry for when it falls due."""
        self._announcer.announce_later(Queue.work(queue), [outcome.job_id], outcome.retry_in_s)

    def _announce(self, ids: Sequence[DeliveryId]) -> None:
        if ids:
            self._announcer.announce(DELIVERIES, ids)

    async def _nap(self, seconds: float) -> bool:
        """So long; True, at once, when it was given up."""
        try:
            async with asyncio.timeout(seconds):
                await self._given_up.wait()
        except TimeoutError:
            return False
        return True
