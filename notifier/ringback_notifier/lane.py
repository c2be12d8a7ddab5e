"""A lane: what a notifier keeps of one destination while it is active. No I/O; times are passed in.

``endpoint_lane`` has the lanes of endpoints with limits of their own.
"""

from dataclasses import dataclass, field

from ringback_notifier.bucket import Rate
from ringback_notifier.circuit import FAILURES, Breaker, BreakerPlan
from ringback_schemas.deliveries import OUR_FAULTS, Verdict, WaitReason
from ringback_schemas.lanes import Circuit, LaneTurn

RETRY_SHARE = 0.25
"""Of what a lane takes from its waiting deliveries, so much are retries while fresh ones wait too."""

SLOW_S = 1.0
"""An attempt without an answer for so long is slow."""


@dataclass(frozen=True, slots=True)
class LanePlan:
    """What one destination may be sent, by all notifiers together unless said otherwise."""

    slow_concurrency: int = 16
    """In flight from one notifier while it is new, slow or failing; a quick one may have all slots.

    A receiver that answers within 50 ms gets 320 a second through 16 slots, while one that hangs, or a burst to one
    that nobody knows yet, holds an eighth of 128.
    """
    max_in_flight: int | None = None
    """In flight, however quick it is."""
    rate_per_s: float | None = None
    """Sends in any second."""
    breaker: BreakerPlan = field(default_factory=BreakerPlan)


class Queue:
    """What is known of deliveries that go by one lane, whatever bounds them."""

    __slots__ = ("_retry_credit", "idle_since", "in_flight", "is_waiting", "name", "wake_at")

    def __init__(self, name: str, now: float) -> None:
        """``name`` as in ``ringback_schemas.lane_names``."""
        self.name = name
        self.in_flight = 0
        self.is_waiting = False
        """Whether deliveries by it were set aside in the store, as far as is known."""
        self.idle_since = now
        self.wake_at: float | None = None
        """When somebody will look whether it has room."""
        self._retry_credit = 0.0

    def turn(self, room: int) -> LaneTurn:
        """Ask for so many of those that wait: one retry in four while fresh ones wait too, however small the turns."""
        self._retry_credit += room * RETRY_SHARE
        retries = int(self._retry_credit)
        self._retry_credit -= retries
        return LaneTurn(self.name, room, retries)


class Lane(Queue):
    """One destination. Its window is TCP's idea: it begins small and grows with every quick answer that used it up."""

    __slots__ = ("_plan", "_rate", "_sharers", "_widest", "_window", "branches", "breaker", "held", "slow")

    def __init__(self, destination: str, plan: LanePlan, widest: int, sharers: int, now: float) -> None:
        """``widest`` is how many slots the notifier has; ``sharers`` how many notifiers there are."""
        super().__init__(destination, now)
        self.breaker = Breaker(plan.breaker)
        self.slow = 0
        """How many of those in flight are slow."""
        self.branches = 0
        """Lanes of endpoints there that are in memory."""
        self.held: dict[str, Queue] = {}
        """Those of them that wait for room here."""
        self._plan = plan
        self._widest = widest
        self._sharers = sharers
        self._window = min(plan.slow_concurrency, widest)
        self._rate = None if plan.rate_per_s is None else Rate(plan.rate_per_s / sharers, now)

    def share(self, sharers: int, now: float) -> None:
        """So many notifiers share its limits from now on."""
        self._sharers = sharers
        if self._rate is not None and self._plan.rate_per_s is not None:
            self._rate.change(self._plan.rate_per_s / sharers, now)

    def room(self, now: float, *, is_crowded: bool = False) -> int:
        """How many more may be sent; ``is_crowded`` when slow receivers hold much of the notifier."""
        if not self.breaker.is_closed:
            return 1 if self.breaker.may_probe(now) and self._is_near(now) else 0
        limit = 1 if is_crowded and self.slow else self._limit()
        room = max(0, limit - self.in_flight)
        return room if self._rate is None else min(room, self._rate.available(now))

    def room_for_newcomers(self, now: float, *, is_crowded: bool = False) -> int:
        """As ``room``, for deliveries that do not wait yet.

        They go behind those that do, or a steady stream of new ones would starve the old. With all slots open to it
        the lane is no bottleneck: then the notifier's slots are, and the intake gives each source its turn.
        """
        is_bottleneck = self._rate is not None or self._limit() < self._widest
        return 0 if self.is_waiting and is_bottleneck else self.room(now, is_crowded=is_crowded)

    def reason(self, now: float) -> WaitReason:
        """Why there is no more room."""
        if not self.breaker.is_closed:
            return WaitReason.CIRCUIT
        if self._rate is not None and self._rate.available(now) < self._limit() - self.in_flight:
            return WaitReason.RATE
        return WaitReason.IN_FLIGHT

    def opens_at(self, now: float) -> float | None:
        """When there may be room without anything ending; absent when only that can make some."""
        if not self.breaker.is_closed:
            at = self.breaker.probe_at
            return at if at is None or self._rate is None else max(at, self._rate.near_at(now))
        if self._rate is not None and self.in_flight < self._limit():
            return self._rate.ready_at(now)
        return None

    def enter(self, now: float) -> bool:
        """A delivery is sent; True when it is a probe."""
        self.in_flight += 1
        if self._rate is not None:
            self._rate.take(now)
        if self.breaker.is_closed:
            return False
        self.breaker.begin_probe()
        return True

    @property
    def is_paced(self) -> bool:
        """Whether sends are kept apart."""
        return self._rate is not None

    def pause_s(self, now: float) -> float:
        """Seconds until one may be sent, that has room."""
        return 0.0 if self._rate is None else self._rate.pause_s(now)

    def sent(self, now: float) -> None:
        """One is sent."""
        if self._rate is not None:
            self._rate.sent(now)

    def put_back(self, now: float) -> None:
        """One that entered is not sent, and leaves."""
        if self._rate is not None:
            self._rate.put_back(now)

    def slowed(self, *, is_its_fault: bool = True) -> None:
        """One of those in flight has become slow: the receiver is, or what came before sending took long."""
        self.slow += 1
        if is_its_fault:
            self._narrow()

    def answered(self, verdict: Verdict, seconds: float, now: float, dice: float, *, is_probe: bool) -> Circuit | None:
        """An attempt ended; the circuit's new state when that changed it."""
        if verdict in OUR_FAULTS:
            return None
        if verdict in FAILURES:
            self._narrow()
            return Circuit.OPEN if self.breaker.failed(now - seconds, now, dice, is_probe=is_probe) else None
        if seconds >= SLOW_S:
            self._narrow()
        elif self.in_flight >= self._window // 2 or self.is_waiting:
            # only what was used may grow, or an idle lane would earn a window that it never proved
            self._window = min(self._widest, self._window + 1)
        return Circuit.CLOSED if self.breaker.succeeded() else None

    def leave(self, now: float, *, is_probe: bool) -> None:
        """A delivery is done with, answered or not."""
        self.in_flight -= 1
        self.idle_since = now
        if is_probe:
            self.breaker.give_up_probe()

    @property
    def trunk(self) -> "Lane":
        """The lane of its destination: itself."""
        return self

    @property
    def is_new(self) -> bool:
        """Whether it is no different from a lane that was made this moment."""
        is_idle = self.in_flight == 0 and not self.is_waiting
        return is_idle and self._rate is None and self.breaker.is_closed and self._window == self._base

    @property
    def is_forgettable(self) -> bool:
        """Whether nothing is lost with it, once it has been idle for long enough."""
        return self.in_flight == 0 and not self.is_waiting and self.branches == 0

    @property
    def _base(self) -> int:
        return min(self._plan.slow_concurrency, self._widest)

    def _is_near(self, now: float) -> bool:
        return self._rate is None or self._rate.is_near(now)

    def _limit(self) -> int:
        most = self._plan.max_in_flight
        return self._window if most is None else min(self._window, max(1, most // self._sharers))

    def _narrow(self) -> None:
        self._window = self._base
