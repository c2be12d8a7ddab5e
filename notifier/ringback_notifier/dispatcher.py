"""Keeps deliveries under way: how many at once, and how they stop. Each is a task, and their number is bounded.

``courier`` brings them to their receivers, ``ledger`` writes down what came of it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_notifier.courier import Courier
from ringback_notifier.flight import Flight
from ringback_notifier.lane import SLOW_S, LanePlan
from ringback_notifier.lanes import Circuits, Lanes
from ringback_notifier.ledger import Attempts, Ledger
from ringback_notifier.outcomes import conclude
from ringback_notifier.proxy_gate import ProxyGate, tells_of_proxy
from ringback_notifier.replies import Failed, Sent
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRef
from ringback_schemas.ids import InstanceId

RELEASE_WITHIN_S = 2.0

log = structlog.get_logger(__name__)


class Deliveries(Attempts, Circuits, Protocol):
    """What a notifier counts; telemetry implements it."""

    def on_deliveries_claimed(self, count: int, source: str) -> None:
        """So many were claimed; ``source`` is ``broker``, ``poll`` or ``lane``."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How deliveries are made."""

    owner: InstanceId
    schedule_s: Sequence[float]
    """Seconds after attempt 1, 2, …"""
    concurrency: int = 128
    """Deliveries in flight at once, slow ones not counted."""
    lane: LanePlan = field(default_factory=LanePlan)
    """What one destination may be sent."""

    @property
    def slow_concurrency(self) -> int:
        """Slow deliveries that are not counted: twice as many as the others, which bounds sockets and memory."""
        return 2 * self.concurrency


class Dispatcher:
    """The consumer behind an intake of deliveries. Its tasks live in the group of whoever runs it."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        courier: Courier,
        ledger: Ledger,
        terms: Terms,
        *,
        observer: Deliveries | None = None,
    ) -> None:
        """Everything passed in is opened and closed by the caller."""
        self._store = store
        self._announcer = announcer
        self._courier = courier
        self._ledger = ledger
        self._terms = terms
        self.lanes = Lanes(terms.lane, terms.concurrency, observer=observer)
        self._gate = ProxyGate()
        self._slow = 0
        self._observer = observer
        self._flights: dict[DeliveryRef, Flight] = {}
        self._group: asyncio.TaskGroup | None = None
        self._on_room: Callable[[], None] = _nothing
        self._idle = asyncio.Event()
        self._is_hurried = False
        self.cut = 0
        """Deliveries that a drain did not let finish."""

    def begin(self, group: asyncio.TaskGroup, on_room: Callable[[], None]) -> None:
        """Deliver in that group from now on; ``on_room`` is called whenever a delivery ends."""
        self._group = group
        self._on_room = on_room

    def room(self) -> int:
        """How many more deliveries may be in flight."""
        room = self._terms.concurrency - len(self._flights) + min(self._slow, self._terms.slow_concurrency)
        return room if self._gate.is_open else self._gate.room(room, time.monotonic())

    @property
    def in_flight(self) -> int:
        """How many deliveries are under way, slow ones too."""
        return len(self._flights)

    def take(self, claimed: Sequence[ClaimedDelivery], source: str) -> None:
        """Begin with them."""
        assert self._group is not None, "begin comes first"  # noqa: S101 - a mistake of ours, not of a caller's
        if self._observer is not None:
            self._observer.on_deliveries_claimed(len(claimed), source)
        now = time.monotonic()
        for one in claimed:
            ref = DeliveryRef(one.delivery.id, one.delivery.attempt)
            if ref in self._flights:
                # A database that crashed may have forgotten our claim, which is committed without waiting for its disk,
                # and handed out the same attempt anew. What is in flight counts for it.
                log.warning("claimed_again", delivery_id=one.delivery.id, attempt=one.delivery.attempt)
                continue
            lane, is_probe = self.lanes.enter(one.delivery.lane)
            flight = self._flights[ref] = Flight(one, ref, lane, is_probe, self._gate.enter(), now)
            flight.task = self._group.create_task(self._fly(flight), name=one.delivery.id)

    def age(self) -> None:
        """Count what is slow by now apart; to be called several times a second.

        A receiver that hangs holds a slot for a second then, not for the fifteen of its deadline.
        """
        now = time.monotonic()
        if not self._gate.is_open:
            self._on_room()
        before = now - SLOW_S
        # in the order in which they began
        for flight in self._flights.values():
            if flight.began_at > before:
                break
            if not flight.is_slow and not flight.is_answered:
                flight.is_slow = True
                # one that waits for its rate, or for the store, says nothing of its receiver
                flight.lane.trunk.slowed(is_its_fault=flight.sent_to is not None)
                self._count_slow(1)

    async def drain(self, grace_s: float) -> None:
        """Let what is in flight end within the grace, or until hurried; then stop it, and give back what was not sent.

        What was being sent stays claimed: the receiver may have it, so it is for the rescuer, who leaves an attempt
        that says so, and it is sent again with the same id and bytes.
        """
        await self._wait_until_idle(grace_s)
        left = list(self._flights.values())
        self.cut = len(left)
        for flight in left:
            if flight.task is not None:
                flight.task.cancel()
        await asyncio.gather(*[flight.task for flight in left if flight.task], return_exceptions=True)
        await self._release([flight.ref for flight in left if flight.sent_to is None])

    def holds(self, ref: DeliveryRef) -> bool:
        """Whether that attempt is under way here."""
        return ref in self._flights

    def hurry(self) -> None:
        """Let a drain wait no longer. Safe to call twice, and before it."""
        self._is_hurried = True
        self._idle.set()

    async def _wait_until_idle(self, within_s: float) -> None:
        if not self._flights or self._is_hurried:
            return
        self._idle.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return

    async def _release(self, unsent: Sequence[DeliveryRef]) -> None:
        if not unsent:
            return
        try:
            async with asyncio.timeout(RELEASE_WITHIN_S):
                await self._store.release_deliveries(self._terms.owner, unsent)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("deliveries_not_released", deliveries=len(unsent), reason=str(error) or "too slow")
        else:
            self._announcer.announce(DELIVERIES, [ref.delivery_id for ref in unsent])

    async def _fly(self, flight: Flight) -> None:
        try:
            await self._deliver(flight)
        finally:
            del self._flights[flight.ref]
            self._answered(flight)
            self.lanes.leave(flight.lane, is_probe=flight.is_probe)
            self._gate.leave(is_probe=flight.tries_proxy)
            if not self._flights:
                self._idle.set()
            self._on_room()

    async def _deliver(self, flight: Flight) -> None:
        sent = await self._courier.bring(flight)
        if sent is None:
            if flight.is_put_back:
                self.lanes.put_back(flight.lane)
            return
        claimed, terms = flight.claimed, self._terms
        outcome = conclude(claimed, terms.owner, sent, terms.schedule_s, random.random())  # noqa: S311 - jitter
        self._answered(flight)
        self._tell_gate(flight, sent)
        self.lanes.answered(flight.lane, outcome.attempt.verdict, sent.timing.total_s, is_probe=flight.is_probe)
        await self._ledger.enter(claimed, outcome, flight.sent_to)

    def _answered(self, flight: Flight) -> None:
        """What remains to be done with it is ours, and no fault of its receiver."""
        flight.is_answered = True
        if flight.is_slow:
            flight.is_slow = False
            flight.lane.trunk.slow -= 1
            self._count_slow(-1)

    def _tell_gate(self, flight: Flight, sent: Sent) -> None:
        is_down = isinstance(sent.reply, Failed) and sent.reply.is_proxy_down
        if not is_down and (self._gate.is_unblemished or not tells_of_proxy(sent.reply)):
            return
        now, dice = time.monotonic(), random.random()  # noqa: S311 - jitter
        began_at = now - sent.timing.total_s
        if self._gate.told(began_at, now, dice, is_down=is_down, is_probe=flight.tries_proxy):
            if isinstance(sent.reply, Failed) and is_down:
                log.warning("proxy_down", reason=sent.reply.words)
            else:
                log.info("proxy_up")

    def _count_slow(self, more: int) -> None:
        self._slow += more
        self.lanes.crowd(is_crowded=self._slow > self._terms.slow_concurrency // 2)
        self._on_room()


def _nothing() -> None:
    return
