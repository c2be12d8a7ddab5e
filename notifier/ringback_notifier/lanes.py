"""All lanes of a notifier: what claims may take by them, and what becomes of that.

A lane is a destination's, or that of an endpoint with limits of its own, which stands on its destination's. ``roster``
has those that are in memory, ``turns`` those that have deliveries waiting. Used from one event loop.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import structlog

from ringback_notifier.endpoint_lane import EndpointLane, Limits
from ringback_notifier.lane import Lane, LanePlan
from ringback_notifier.roster import AnyLane, Roster
from ringback_notifier.turns import Turns
from ringback_schemas.deliveries import ClaimedDelivery, Verdict, WaitReason
from ringback_schemas.lanes import Circuit, LaneRoom, LaneRooms, LaneTurn

TICK_S = 0.25

log = structlog.get_logger(__name__)


class Circuits(Protocol):
    """What lanes count; telemetry implements it."""

    def on_lanes(self, counts: Mapping[Circuit, int]) -> None:
        """So many destinations are in memory, by the state of their circuits."""


class Lanes:
    """The lanes of a notifier with ``widest`` slots."""

    def __init__(
        self,
        plan: LanePlan,
        widest: int,
        *,
        observer: Circuits | None = None,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        """``clock`` gives seconds that never go back; ``dice`` a number from 0 to 1."""
        self._observer = observer
        self._clock = clock
        self._dice = dice
        self._roster = Roster(plan, widest, self._forgotten)
        self._turns = Turns(self._roster, clock)
        # what a claim must be told of: every lane that is not as one made this moment
        self._told: dict[str, AnyLane] = {}
        self._broken: dict[str, Lane] = {}
        self._unknown = self._roster.room_of_unknown(clock())
        self._is_limited = plan.rate_per_s is not None or plan.max_in_flight is not None

    def begin(self, on_ready: Callable[[], None]) -> None:
        """Call that whenever deliveries wait for which there is room."""
        self._turns.begin(on_ready)

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._roster)

    @property
    def is_ready(self) -> bool:
        """Whether deliveries wait for which there is room."""
        return self._turns.is_ready

    @property
    def has_place(self) -> bool:
        """Whether more may be remembered."""
        return self._roster.has_place

    def crowd(self, *, is_crowded: bool) -> None:
        """Whether slow receivers hold much of the notifier from now on."""
        self._roster.is_crowded = is_crowded

    def may_overflow(self, count: int) -> bool:
        """Whether a claim of so many is likely to be too much for one lane.

        That is when one has little room left, for to guard against all of them being for one lane would make
        every claim of many dearer. What turns out to be too much is given back (see ``sort_out``).
        """
        now, is_crowded = self._clock(), self._roster.is_crowded
        if self._is_limited and count > self._unknown:
            return True
        # a limit of the plan is met with every claim, so there it pays to be exact
        little = count if self._is_limited else min(count, max(1, self._unknown // 2))
        return any(lane.room_for_newcomers(now, is_crowded=is_crowded) < little for lane in self._told.values())

    def rooms(self) -> LaneRooms:
        """What a claim may take by lane."""
        now, is_crowded = self._clock(), self._roster.is_crowded
        named = [
            LaneRoom(name, lane.room_for_newcomers(now, is_crowded=is_crowded), lane.reason(now))
            for name, lane in self._told.items()
        ]
        return LaneRooms(self._unknown, named)

    def sort_out(self, claimed: Sequence[ClaimedDelivery]) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        """What of that has room in its lane, and in its destination's; and the rest.

        There is a rest when much came for a lane that was not known, and when a circuit opened or a window shrank while
        the claim was under way.
        """
        now = self._clock()
        left: dict[str, int] = {}
        fitting: list[ClaimedDelivery] = []
        rest: list[ClaimedDelivery] = []
        for one in claimed:
            name = one.delivery.lane
            lane = self._roster.get(name)
            fits = self._take(left, name, lane, now)
            if fits and lane is not None and lane.trunk is not lane:
                fits = self._take(left, lane.trunk.name, lane.trunk, now)
            (fitting if fits else rest).append(one)
        return fitting, rest

    def reason(self, name: str) -> WaitReason:
        """Why there is no more room."""
        lane = self._roster.get(name)
        return WaitReason.IN_FLIGHT if lane is None else lane.reason(self._clock())

    def limit(self, name: str, limits: Limits) -> None:
        """The endpoint whose own lane that is has these limits now."""
        now = self._clock()
        lane = self._roster.at(name, now)
        if isinstance(lane, EndpointLane):
            lane.limit(limits, now)

    def enter(self, name: str) -> tuple[AnyLane, bool]:
        """A delivery is sent by that lane: the lane, and whether it is a probe."""
        now = self._clock()
        lane = self._roster.at(name, now)
        is_probe = lane.enter(now)
        self._told[name] = lane
        if lane.trunk is not lane:
            self._told[lane.trunk.name] = lane.trunk
        return lane, is_probe

    def answered(self, lane: AnyLane, verdict: Verdict, seconds: float, *, is_probe: bool) -> None:
        """An attempt ended so, after so long."""
        now, trunk = self._clock(), lane.trunk
        failures = trunk.breaker.failures
        change = trunk.answered(verdict, seconds, now, self._dice(), is_probe=is_probe)
        if change is Circuit.OPEN:
            self._broken[trunk.name] = trunk
            log.warning("circuit_opened", destination=trunk.name, failures=failures + 1, verdict=verdict.value)
        elif change is Circuit.CLOSED:
            self._broken.pop(trunk.name, None)
            log.info("circuit_closed", destination=trunk.name, failures=failures)

    def put_back(self, lane: AnyLane) -> None:
        """A delivery that entered waits in the store again, unsent; it leaves next."""
        lane.put_back(self._clock())
        lane.is_waiting = True

    def leave(self, lane: AnyLane, *, is_probe: bool) -> None:
        """A delivery is done with."""
        lane.leave(self._clock(), is_probe=is_probe)
        self._left(lane)
        trunk = lane.trunk
        if trunk is not lane:
            self._left(trunk)
        if trunk.held:
            self._turns.let_in(trunk)

    def note_waiting(self, names: Iterable[str]) -> None:
        """Deliveries wait there, in the store."""
        now = self._clock()
        for name in names:
            lane = self._roster.at(name, now)
            lane.is_waiting = True
            self._told[name] = lane
            self._turns.review(lane)

    def turns(self, limit: int) -> list[LaneTurn]:
        """What to take of the deliveries that wait, at most so many in all."""
        return self._turns.give(limit)

    def served(self, turns: Sequence[LaneTurn], claimed: Sequence[ClaimedDelivery]) -> None:
        """That came of the turns, and is about to enter."""
        self._turns.served(turns, claimed)

    def share(self, sharers: int) -> None:
        """So many notifiers live, this one among them: each takes its part of what destinations may be sent."""
        now = self._clock()
        if self._roster.share(sharers, now):
            self._unknown = self._roster.room_of_unknown(now)

    async def run(self, on_tick: Callable[[], None]) -> None:
        """Look again when there may be room, until cancelled; ``on_tick`` is called several times a second."""
        while True:
            on_tick()
            self.tick()
            await self._turns.pause(TICK_S)

    def tick(self) -> None:
        """Look where there may be room by now, forget some of the idle, and count."""
        self._turns.wake()
        now = self._clock()
        self._roster.forget_idle(now)
        self._count(now)

    def _take(self, left: dict[str, int], name: str, lane: AnyLane | None, now: float) -> bool:
        """Whether there is room by that lane, with one less ``left`` from now on."""
        room = left.get(name)
        if room is None:
            room = self._unknown if lane is None else self._roster.room(lane, now)
        left[name] = room - 1
        return room > 0

    def _left(self, lane: AnyLane) -> None:
        if lane.is_new:
            self._told.pop(lane.name, None)
        if lane.is_waiting:
            self._turns.review(lane)

    def _forgotten(self, lane: AnyLane) -> None:
        self._told.pop(lane.name, None)
        self._broken.pop(lane.name, None)
        self._turns.forget(lane)

    def _count(self, now: float) -> None:
        if self._observer is None:
            return
        counts = dict.fromkeys(Circuit, 0)
        for lane in self._broken.values():
            counts[lane.breaker.circuit(now)] += 1
        counts[Circuit.CLOSED] = self._roster.destinations - len(self._broken)
        self._observer.on_lanes(counts)
