"""Tells consumers, through the broker, which ids wait for them. Best effort by design: the store knows all.

Whatever is dropped here (broker away, too much waiting, a crash) is found by the consumers' polling.
"""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

import structlog

from ringback_backends.contracts.broker import Broker, Queue
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_schemas.envelopes import Envelope

IDS_PER_ENVELOPE = 100
OUTSTANDING_PER_QUEUE = 4
"""Unconfirmed envelopes of one queue. Few, so that under load ids gather into full envelopes instead of small ones."""

MAX_WAITING = 50_000
MAX_TIMERS = 10_000
LONGEST_TIMER_S = 3_600.0
CLOSE_WITHIN_S = 2.0
QUIET_S = 10.0
"""Drops are logged at most this often, with their number: a broker that is away must not fill the disk with it."""

log = structlog.get_logger(__name__)


class Announcements(Protocol):
    """What an announcer counts; telemetry implements it."""

    def on_announced(self, ids: int) -> None:
        """So many ids were published and confirmed."""

    def on_dropped(self, ids: int) -> None:
        """So many were not: polling will find them."""


class Announcer:
    """Gathers ids per queue into envelopes and publishes them in the background; never blocks, never raises."""

    def __init__(self, broker: Broker, *, observer: Announcements | None = None) -> None:
        """``broker`` is started and closed by whoever made it."""
        self._broker = broker
        self._observer = observer
        self._waiting: dict[Queue, list[str]] = {}
        self._outstanding: dict[Queue, int] = {}
        self._publishes: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_closed = False
        self._unlogged = 0
        self._logged_at = -QUIET_S

    async def __aenter__(self) -> Self:
        """Ready from the start; entered for the sake of leaving."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Publish what waits, within two seconds, and drop the rest."""
        self._is_closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for queue in list(self._waiting):
            self._pump(queue)
        await self._finish(CLOSE_WITHIN_S)

    @property
    def queues(self) -> int:
        """Queues with something that waits or is under way."""
        return len(self._waiting)

    async def _finish(self, within_s: float) -> None:
        """Wait for the publishes under way and those that follow them; then there are none."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._publishes and (left := until - loop.time()) > 0:
            await asyncio.wait(self._publishes, timeout=left)
        for queue in list(self._waiting):
            self._dropped(self._drop_waiting(queue))
        late = list(self._publishes)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def announce(self, queue: Queue, ids: Iterable[str]) -> None:
        """Publish these ids soon; those announced in the same turn of the loop share envelopes."""
        if self._is_closed:
            return
        waiting = self._waiting.get(queue)
        if waiting is None:
            waiting = self._waiting[queue] = []
        if not waiting:
            asyncio.get_running_loop().call_soon(self._pump, queue)
        elif len(waiting) >= MAX_WAITING:
            self._dropped(len(list(ids)))
            return
        waiting.extend(ids)

    def announce_later(self, queue: Queue, ids: Iterable[str], delay_s: float) -> None:
        """Announce these ids when they fall due, if that is within an hour; kept in memory only."""
        if self._is_closed or delay_s > LONGEST_TIMER_S or len(self._timers) >= MAX_TIMERS:
            return
        timer: asyncio.TimerHandle | None = None
        due = list(ids)

        def fire() -> None:
            if timer is not None:
                self._timers.discard(timer)
            self.announce(queue, due)

        timer = asyncio.get_running_loop().call_later(delay_s, fire)
        self._timers.add(timer)

    def _pump(self, queue: Queue) -> None:
        waiting = self._waiting.get(queue)
        while waiting and self._outstanding.get(queue, 0) < OUTSTANDING_PER_QUEUE:
            ids = tuple(waiting[:IDS_PER_ENVELOPE])
            del waiting[:IDS_PER_ENVELOPE]
            self._outstanding[queue] = self._outstanding.get(queue, 0) + 1
            task = asyncio.create_task(self._publish(queue, ids), name="announce")
            self._publishes.add(task)
            task.add_done_callback(self._publishes.discard)
        self._forget_idle(queue)

    async def _publish(self, queue: Queue, ids: tuple[str, ...]) -> None:
        try:
            await self._broker.publish(queue, Envelope(queue.kind, ids))
        except BrokerUnavailable as error:
            dropped = self._drop_waiting(queue) + len(ids)
            self._dropped(dropped)
            self._log_drop(queue, dropped, str(error))
        except asyncio.CancelledError:
            self._dropped(len(ids))
            raise
        else:
            if self._observer is not None:
                self._observer.on_announced(len(ids))
        finally:
            self._outstanding[queue] -= 1
            self._pump(queue)

    def _forget_idle(self, queue: Queue) -> None:
        """Keep nothing of a queue with nothing to do: clients choose the names, so there is no end of them."""
        if not self._outstanding.get(queue) and not self._waiting.get(queue):
            self._outstanding.pop(queue, None)
            self._waiting.pop(queue, None)

    def _drop_waiting(self, queue: Queue) -> int:
        """Forget what waits behind a failed publish: it would only wait for the next time-out."""
        waiting = self._waiting.get(queue, [])
        count = len(waiting)
        waiting.clear()
        return count

    def _log_drop(self, queue: Queue, ids: int, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        self._unlogged += ids
        if now - self._logged_at >= QUIET_S:
            name = queue.name or queue.kind.value
            log.warning("announcements_dropped", queue=name, ids=self._unlogged, reason=reason)
            self._logged_at, self._unlogged = now, 0

    def _dropped(self, ids: int) -> None:
        if self._observer is not None:
            self._observer.on_dropped(ids)
