"""A loop of rounds: what everything is made of that goes on in the background."""

import asyncio
import random
from abc import ABC, abstractmethod

import structlog

from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.lease.outages import Outage

log = structlog.get_logger(__name__)


class Rounds(ABC):
    """Does a round, pauses, and so on until stopped; a full round is followed by the next one at once.

    A store that is away is waited for, and one that refuses a value asked again later: a row that cannot be dealt with
    must not end every process that comes upon it. Any other error ends the loop, and with it the process.
    """

    name: str

    def __init__(self, every_s: float) -> None:
        """Pauses are jittered by ±20 %, so that a fleet does not go round in step."""
        self._every_s = every_s
        self._stopping = asyncio.Event()
        self._awake = asyncio.Event()
        self._outage = Outage()

    @abstractmethod
    async def round(self) -> bool:
        """Do what is to be done now, bounded; True when more waits.

        Raises:
            StoreUnavailable: the rest is for a later round.
        """

    async def run(self) -> None:
        """Go round until ``stop``."""
        while not self._stopping.is_set():
            if not await self._guarded_round():
                await self.pause(self._every_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    def stop(self) -> None:
        """End after the round under way. Safe to call twice, and before ``run``."""
        self._stopping.set()
        self._awake.set()

    def wake(self) -> None:
        """Go round at once: there is something to do. Safe to call at any time."""
        self._awake.set()

    async def pause(self, seconds: float) -> None:
        """Do nothing for so long, or until somebody wakes or stops it."""
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            return
        self._awake.clear()

    async def _guarded_round(self) -> bool:
        try:
            goes_on = await self.round()
        except StoreUnavailable as error:
            if self._outage.is_news(error.remedy):
                log.warning("round_skipped", loop=self.name, reason=str(error))
            return False
        except RowRefused as error:
            if self._outage.is_news(str(error)):
                log.warning("round_refused", loop=self.name, reason=str(error))
            return False
        after_s = self._outage.over()
        if after_s is not None:
            log.info("round_resumed", loop=self.name, after_s=round(after_s, 1))
        return goes_on
