"""How a consumer gets its work: from envelopes at once, from polling when envelopes fail.

Receive → claim what there is room for → ack → hand over. The store decides who owns what, so a lost, doubled or stale
envelope does no harm, and a message is unacknowledged only for the milliseconds of a claim.

A consumer may have work waiting that it could not take when it was offered; it says so (``nudge``) when it can, and
then that is claimed too. Polls, envelopes and what waits take turns.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog

from ringback_backends.contracts.broker import Broker, Subscription
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.hand import Hand

Claimed = TypeVar("Claimed")
Claimed_co = TypeVar("Claimed_co", covariant=True)

PATIENCE_S = 0.05
"""How long a full consumer waits for room before it gives its envelopes back to the others."""

LONGEST_BACKOFF_S = 1.0

log = structlog.get_logger(__name__)


class Work(Protocol[Claimed]):
    """The consumer behind an intake."""

    def room(self) -> int:
        """How many more it can take now."""

    async def claim(self, ids: Sequence[str]) -> Sequence[Claimed]:
        """Claim those of the ids that may start; at most ``room`` are given."""

    async def claim_due(self, limit: int) -> Sequence[Claimed]:
        """Claim whatever is due."""

    def take(self, claimed: Sequence[Claimed], source: str) -> None:
        """Begin with them; ``source`` is ``broker``, ``poll`` or ``lane``."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between polls; each is jittered by ±10 % so that a fleet does not poll in step."""

    poll_s: float = 5.0
    poll_away_s: float = 1.0
    """While the broker is away: then polling carries everything."""


class Intake(Generic[Claimed]):
    """The loop that feeds one consumer, until it is stopped."""

    def __init__(
        self,
        work: Work[Claimed],
        broker: Broker,
        subscription: Subscription,
        pace: Pace,
        *,
        waiting: Callable[[int], Awaitable[Sequence[Claimed]]] | None = None,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Closes ``subscription`` at its end.

        Nothing is claimed unless ``is_alive``: what a process claims whose heart does not beat is rescued from it at
        once, and counts as lost.

        ``waiting`` claims at most so many of what the consumer left earlier; it is called after ``nudge``.
        """
        self._work = work
        self._waiting = waiting
        self._is_alive = is_alive
        self._is_nudged = False
        self._broker = broker
        self._subscription = subscription
        self._pace = pace
        self._hand = Hand()
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._is_finishing = False
        self._is_full = False
        self._poll_at = 0.0
        # A backlog is polled batch after batch, and so is what waits; envelopes take turns with both, or they would
        # stay unacknowledged for as long as the backlog lasts, and RabbitMQ closes the channel of a consumer that does
        # that for half an hour.
        self._sources: deque[tuple[Callable[[], bool], Callable[[], Awaitable[None]]]] = deque(
            (
                (self._is_poll_due, self._poll),
                (self._is_holding, self._claim_held),
                (self._has_waiting, self._claim_waiting),
            )
        )
        self._failures = 0
        self._claims = 0
        self._claim: int | None = None

    @property
    def claim_under_way(self) -> int | None:
        """The number of the claim that is under way, until the consumer has taken what it brought; absent: none is."""
        return self._claim

    async def run(self) -> None:
        """Feed the consumer until ``stop``; then whatever is in hand and not claimed goes back."""
        pump = asyncio.create_task(self._pump(), name="intake pump")
        try:
            await self._feed(pump)
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            self._hand.give_back()
            await self._subscription.close()

    def stop(self) -> None:
        """Take nothing new. Safe to call twice, and before ``run``."""
        self._is_stopping = True
        self._wake.set()

    def finish(self) -> None:
        """Stop once a poll finds no more than there is room for. Safe to call twice, and before ``run``."""
        self._is_finishing = True
        self._poll_at = 0.0
        self._wake.set()

    def freed(self) -> None:
        """Say that there is room again. Cheap enough to be called after every job."""
        if self._is_full:
            self._wake.set()

    def nudge(self) -> None:
        """Say that what was left earlier may be claimed. Cheap enough to be called after every job."""
        if not self._is_nudged:
            self._is_nudged = True
            if not self._is_full:
                self._wake.set()

    async def _pump(self) -> None:
        while True:
            self._hand.take(await self._subscription.receive())
            self._wake.set()

    async def _feed(self, pump: asyncio.Task[None]) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            if pump.done():
                pump.result()
            if not self._has_room():
                await self._wait_for_room()
            elif (step := self._next()) is not None:
                await self._guarded(step)
            else:
                await self._sleep(self._until_poll(loop.time()))

    def _has_room(self) -> bool:
        return self._work.room() > 0 and self._is_alive()

    def _next(self) -> Callable[[], Awaitable[None]] | None:
        """What to do next: the sources take turns, those with nothing to give are passed over."""
        for place, source in enumerate(self._sources):
            is_due, step = source
            if is_due():
                del self._sources[place]
                self._sources.append(source)
                return step
        return None

    def _is_poll_due(self) -> bool:
        return asyncio.get_running_loop().time() >= self._poll_at

    def _is_holding(self) -> bool:
        return bool(self._hand)

    def _has_waiting(self) -> bool:
        return self._is_nudged

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        """One step; while the store is away it is repeated with growing, jittered pauses and nothing is acked."""
        try:
            await self._claiming(step)
        except StoreUnavailable as error:
            self._failures += 1
            pause = min(LONGEST_BACKOFF_S, 0.05 * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1)  # noqa: S311 - jitter
            log.warning("intake_store_unavailable", reason=str(error), pause_s=round(pause, 3))
            await self._nap(pause)
        else:
            self._failures = 0

    async def _claiming(self, step: Callable[[], Awaitable[None]]) -> None:
        self._claims += 1
        self._claim = self._claims
        try:
            await step()
        finally:
            self._claim = None

    async def _poll(self) -> None:
        limit = self._work.room()
        claimed = await self._work.claim_due(limit)
        if len(claimed) < limit:
            self._poll_at = asyncio.get_running_loop().time() + self._interval()
            self._is_stopping |= self._is_finishing
        if claimed:
            self._work.take(claimed, "poll")

    async def _claim_held(self) -> None:
        ids = self._hand.first_ids(self._work.room())
        claimed = await self._work.claim(ids)
        self._hand.drop(set(ids))
        if claimed:
            self._work.take(claimed, "broker")

    async def _claim_waiting(self) -> None:
        self._is_nudged = False
        if self._waiting is None:
            return
        try:
            claimed = await self._waiting(self._work.room())
        except StoreUnavailable:
            self._is_nudged = True
            raise
        if claimed:
            self._work.take(claimed, "lane")

    async def _wait_for_room(self) -> None:
        self._is_full = True
        try:
            await self._sleep(PATIENCE_S)
            if self._has_room() or self._is_stopping:
                return
            await self._subscription.pause()
            while not self._has_room() and not self._is_stopping:
                # each time: the pump may have been handed something just before the pause
                self._hand.give_back()
                await self._sleep(self._pace.poll_s)
            await self._subscription.resume()
        finally:
            self._is_full = False

    def _interval(self) -> float:
        seconds = self._pace.poll_s if self._broker.status.is_connected else self._pace.poll_away_s
        return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - jitter

    def _until_poll(self, now: float) -> float:
        """Seconds to the next poll: sooner than planned when the broker has gone away since."""
        if not self._broker.status.is_connected:
            self._poll_at = min(self._poll_at, now + self._interval())
        return max(0.0, self._poll_at - now)

    async def _sleep(self, seconds: float) -> None:
        """Until something happens, at most so long."""
        self._wake.clear()
        if self._is_stopping:
            return
        try:
            async with asyncio.timeout(min(seconds, self._pace.poll_away_s)):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _nap(self, seconds: float) -> None:
        """So long, unless stopped: whatever else happens does not bring the store back."""
        until = asyncio.get_running_loop().time() + seconds
        while not self._is_stopping and (left := until - asyncio.get_running_loop().time()) > 0:
            await self._sleep(left)
