"""Delivers what was claimed: sign, send, decide, record. Each delivery is a task, and their number is bounded."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_notifier.lane import SLOW_S, LanePlan
from ringback_notifier.lanes import Circuits, Lanes
from ringback_notifier.letters import Letter, Letters, Unwanted
from ringback_notifier.outcomes import conclude, without_foreign_text
from ringback_notifier.proxy_gate import ProxyGate, tells_of_proxy
from ringback_notifier.replies import Failed, Sent
from ringback_notifier.roster import AnyLane
from ringback_notifier.sender import Sender
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryOutcome, DeliveryRef, Verdict
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import EndpointId, InstanceId, TenantId
from ringback_schemas.states import DeliveryState

RELEASE_WITHIN_S = 2.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0

T = TypeVar("T")
Recorder = Batcher[DeliveryOutcome, bool]

log = structlog.get_logger(__name__)


class Attempts(Circuits, Protocol):
    """What a dispatcher counts; telemetry implements it."""

    def on_deliveries_claimed(self, count: int, source: str) -> None:
        """So many were claimed; ``source`` is ``broker``, ``poll`` or ``lane``."""

    def on_attempts_recorded(self, rows: int, seconds: float) -> None:
        """So many attempts went into one commit, which took so long."""

    def on_attempt(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:
        """An attempt was made; not recorded means fenced: somebody else has the delivery now."""


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


@dataclass(slots=True, eq=False)
class _Flight:
    """A delivery under way."""

    claimed: ClaimedDelivery
    ref: DeliveryRef
    """Which attempt of which delivery."""
    lane: AnyLane
    is_probe: bool
    tries_proxy: bool
    began_at: float
    task: asyncio.Task[None] | None = None
    is_sent: bool = False
    """From the first byte on nobody can say that the receiver has not got it."""
    is_answered: bool = False
    is_slow: bool = False


class Dispatcher:
    """The consumer behind an intake of deliveries. Its tasks live in the group of whoever runs it."""

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        recorder: Recorder,
        sender: Sender,
        letters: Letters,
        terms: Terms,
        *,
        observer: Attempts | None = None,
    ) -> None:
        """``recorder`` batches the store's ``record_attempts``."""
        self._store = store
        self._announcer = announcer
        self._recorder = recorder
        self._sender = sender
        self._letters = letters
        self._terms = terms
        self.lanes = Lanes(terms.lane, terms.concurrency, observer=observer)
        self._gate = ProxyGate()
        self._slow = 0
        self._observer = observer
        # bound once, after logging was configured: to find the logger anew costs as much as the line itself
        self._log = log.bind()
        self._flights: dict[DeliveryRef, _Flight] = {}
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
            flight = self._flights[ref] = _Flight(one, ref, lane, is_probe, self._gate.enter(), now)
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
                flight.lane.trunk.slowed()
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
        await self._release([flight.ref for flight in left if not flight.is_sent])

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

    async def _fly(self, flight: _Flight) -> None:
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

    async def _deliver(self, flight: _Flight) -> None:
        claimed, delivery = flight.claimed, flight.claimed.delivery
        letter = self._letters.at_hand(claimed) or await self._prepare(claimed)
        match letter:
            case Letter():
                if flight.lane.is_paced:
                    await _keep_pace(flight.lane)
                flight.is_sent = True
                sent = await self._sender.send(
                    *(letter.url, delivery.event_id, letter.body, letter.signer),
                    headers=letter.headers,
                    total_s=letter.total_s,
                )
            case Sent():
                sent = letter
            case Unwanted():
                await self._withhold(flight)
                return
        outcome = conclude(claimed, self._terms.owner, sent, self._terms.schedule_s, random.random())  # noqa: S311 - jitter
        self._answered(flight)
        self._tell_gate(flight, sent)
        self.lanes.answered(flight.lane, outcome.attempt.verdict, sent.timing.total_s, is_probe=flight.is_probe)
        # A crash here sends it again, with the same id and bytes: the receiver tells by the id.
        is_recorded = await self._record(outcome)
        if is_recorded and outcome.state is DeliveryState.RETRYING:
            self._announcer.announce_later(DELIVERIES, [delivery.id], outcome.retry_in_s)
        is_gone = is_recorded and outcome.attempt.verdict is Verdict.GONE
        if is_gone and delivery.endpoint_id is not None and isinstance(letter, Letter):
            await self._part_from(delivery.tenant_id, delivery.endpoint_id, letter.url)
        self._tell(claimed, outcome, is_recorded=is_recorded)

    def _answered(self, flight: _Flight) -> None:
        """What remains to be done with it is ours, and no fault of its receiver."""
        flight.is_answered = True
        if flight.is_slow:
            flight.is_slow = False
            flight.lane.trunk.slow -= 1
            self._count_slow(-1)

    def _tell_gate(self, flight: _Flight, sent: Sent) -> None:
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

    async def _prepare(self, claimed: ClaimedDelivery) -> Letter | Sent | Unwanted:
        return await _patiently(lambda: self._letters.prepare(claimed))

    async def _withhold(self, flight: _Flight) -> None:
        """Its endpoint was disabled or deleted just now: the store knows what becomes of it."""
        await _patiently(lambda: self._store.withhold_deliveries(self._terms.owner, [flight.ref]))
        log.info("delivery_withheld", delivery_id=flight.ref.delivery_id)

    async def _part_from(self, tenant_id: TenantId, endpoint_id: EndpointId, url: str) -> None:
        """The endpoint said 410. A crash before this is mended by the next delivery, which gets the same answer."""
        gone = DisabledReason.GONE
        await _patiently(lambda: self._store.disable_endpoint(tenant_id, endpoint_id, gone, only_at=url))
        self._letters.forget(endpoint_id)
        log.warning("endpoint_gone", endpoint_id=endpoint_id, tenant_id=tenant_id)

    async def _record(self, outcome: DeliveryOutcome) -> bool:
        try:
            return await _patiently(lambda: self._recorder.submit(outcome))
        except RowRefused as error:
            log.warning("attempt_refused_by_store", delivery_id=outcome.delivery_id, reason=str(error))
            return await _patiently(lambda: self._recorder.submit(without_foreign_text(outcome)))

    def _tell(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:
        delivery, attempt = claimed.delivery, outcome.attempt
        self._log.info(
            "delivery_attempt" if is_recorded else "delivery_attempt_fenced",
            delivery_id=delivery.id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            job_id=delivery.job_id,
            tenant_id=delivery.tenant_id,
            destination=delivery.destination,
            attempt=attempt.attempt,
            verdict=attempt.verdict.value,
            status=attempt.status,
            duration_s=round(attempt.timing.total_s, 6),
            retry_in_s=outcome.retry_in_s or None,
        )
        if self._observer is not None:
            self._observer.on_attempt(claimed, outcome, is_recorded=is_recorded)


async def _keep_pace(lane: AnyLane) -> None:
    """Wait for one's turn at a rate that was granted, and may have bunched up since."""
    while (pause_s := lane.pause_s(time.monotonic())) > 0:  # noqa: ASYNC110 - it is time that is waited for
        await asyncio.sleep(pause_s)
    lane.sent(time.monotonic())


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """What the call gives, tried again while the store is away: what was sent must be told, however late."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await call()
        except StoreUnavailable as error:
            # the intake warns of it: here it would be a line for each delivery in flight
            log.debug("store_unavailable", reason=str(error), pause_s=round(pause_s, 3))
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def _nothing() -> None:
    return
