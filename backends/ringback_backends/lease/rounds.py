"""A loop of rounds: what everything is made of that goes on in the background."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass

import structlog

from ringback_backends.contracts.errors import RowRefused, StoreUnavailable

REMIND_S = 60.0
"""How often an outage that goes on is told again."""

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
        self._outage: _Outage | None = None

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
            self._tell(error)
            return False
        except RowRefused as error:
            log.warning("round_refused", loop=self.name, reason=str(error))
            return False
        if self._outage is not None:
            log.info("round_resumed", loop=self.name, after_s=round(time.monotonic() - self._outage.since, 1))
            self._outage = None
        return goes_on

    def _tell(self, error: StoreUnavailable) -> None:
        """When an outage begins, when it turns out to be another one, and from time to time: not at every round."""
        now, outage = time.monotonic(), self._outage
        if outage is not None and outage.remedy == error.remedy and now < outage.told_at + REMIND_S:
            return
        log.warning("round_skipped", loop=self.name, reason=str(error))
        self._outage = _Outage(now if outage is None else outage.since, now, error.remedy)


@dataclass(frozen=True, slots=True)
class _Outage:
    """A store that is away."""

    since: float
    told_at: float
    """Seconds of the monotonic clock, as ``since``."""
    remedy: str
