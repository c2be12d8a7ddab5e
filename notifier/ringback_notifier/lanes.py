"""All lanes of a notifier: which have room, which have deliveries waiting, and when to look again.

A lane is a destination's, or that of an endpoint with limits of its own, which stands on its destination's.

Memory only, and only for what is active: what waits is in the store. Used from one event loop.
"""

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

import structlog

from ringback_notifier.endpoint_lane import EndpointLane, Limits
from ringback_notifier.lane import Lane, LanePlan
from ringback_schemas.deliveries import ClaimedDelivery, Verdict, WaitReason
from ringback_schemas.lane_names import destination_of_lane
from ringback_schemas.lanes import Circuit, LaneRoom, LaneRooms, LaneTurn

TICK_S = 0.25
IDLE_S = 60.0
"""A lane that was idle for so long is forgotten. As long as a receiver keeps the window that it earned."""

FORGOTTEN_S = 900.0
"""As ``IDLE_S``, for one that failed: three of the longest pauses in which nothing came to probe it with."""

MOST_LANES = 10_000
"""Beyond it the oldest without a delivery in flight is forgotten, whatever its state: some 10 MB."""

LOOKED_AT = 100
"""Lanes that a tick looks at to forget them: all of ten thousand in 25 s."""

AnyLane = Lane | EndpointLane

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
        self._plan = plan
        self._widest = widest
        self._observer = observer
        self._clock = clock
        self._dice = dice
        self._sharers = 1
        self._on_ready: Callable[[], None] = _nothing
        self._lanes: dict[str, AnyLane] = {}
        self._branches = 0
        # what a claim must be told of: every lane that is not as one made this moment
        self._told: dict[str, AnyLane] = {}
        self._ready: dict[str, AnyLane] = {}
        self._wakes: list[tuple[float, str]] = []
        self._sooner = asyncio.Event()
        self._broken: dict[str, Lane] = {}
        self._unknown = self._room_of_unknown()
        self._is_limited = plan.rate_per_s is not None or plan.max_in_flight is not None
        self.is_crowded = False
        """Whether slow receivers hold much of the notifier; its owner says."""

    def begin(self, on_ready: Callable[[], None]) -> None:
        """Call that whenever deliveries wait for which there is room."""
        self._on_ready = on_ready

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._lanes)

    @property
    def is_ready(self) -> bool:
        """Whether deliveries wait for which there is room."""
        return bool(self._ready)

    @property
    def has_place(self) -> bool:
        """Whether more may be remembered."""
        return len(self._lanes) < MOST_LANES

    def may_overflow(self, count: int) -> bool:
        """Whether a claim of so many is likely to be too much for one lane.

        That is when one has little room left, for to guard against all of them being for one lane would make
        every claim of many dearer. What turns out to be too much is given back (see ``sort_out``).
        """
        now, is_crowded = self._clock(), self.is_crowded
        if self._is_limited and count > self._unknown:
            return True
        # a limit of the plan is met with every claim, so there it pays to be exact
        little = count if self._is_limited else min(count, max(1, self._unknown // 2))
        return any(lane.room_for_newcomers(now, is_crowded=is_crowded) < little for lane in self._told.values())

    def rooms(self) -> LaneRooms:
        """What a claim may take by lane."""
        now, is_crowded = self._clock(), self.is_crowded
        named = [
            LaneRoom(name, lane.room_for_newcomers(now, is_crowded=is_crowded), lane.reason(now))
            for name, lane in self._told.items()
        ]
        return LaneRooms(self._unknown, named)

    def sort_out(self, claimed: Sequence[ClaimedDelivery]) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        """What of that has room, and the rest.

        There is a rest when much came for a lane that was not known, and when a circuit opened or a window shrank while
        the claim was under way.
        """
        now = self._clock()
        room: dict[str, int] = {}
        fitting: list[ClaimedDelivery] = []
        rest: list[ClaimedDelivery] = []
        for one in claimed:
            name = one.delivery.lane
            left = room.get(name)
            if left is None:
                lane = self._lanes.get(name)
                left = self._unknown if lane is None else lane.room(now, is_crowded=self.is_crowded)
            room[name] = left - 1
            (fitting if left > 0 else rest).append(one)
        return self._fit_into_trunks(fitting, rest) if self._branches else (fitting, rest)

    def reason(self, name: str) -> WaitReason:
        """Why there is no more room."""
        lane = self._lanes.get(name)
        return WaitReason.IN_FLIGHT if lane is None else lane.reason(self._clock())

    def limit(self, name: str, limits: Limits) -> None:
        """The endpoint whose own lane that is has these limits now."""
        now = self._clock()
        lane = self._lanes.get(name) or self._make(name, now)
        if isinstance(lane, EndpointLane):
            lane.limit(limits, now)

    def enter(self, name: str) -> tuple[AnyLane, bool]:
        """A delivery is sent by that lane: the lane, and whether it is a probe."""
        now = self._clock()
        lane = self._lanes.get(name) or self._make(name, now)
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

    def leave(self, lane: AnyLane, *, is_probe: bool) -> None:
        """A delivery is done with."""
        lane.leave(self._clock(), is_probe=is_probe)
        self._left(lane)
        trunk = lane.trunk
        if trunk is not lane:
            self._left(trunk)
        if trunk.held:
            self._let_in(trunk)

    def note_waiting(self, names: Iterable[str]) -> None:
        """Deliveries wait there, in the store."""
        now = self._clock()
        for name in names:
            lane = self._lanes.get(name) or self._make(name, now)
            lane.is_waiting = True
            self._told[name] = lane
            self._review(lane)

    def turns(self, limit: int) -> list[LaneTurn]:
        """What to take of the deliveries that wait, at most so many in all.

        Each lane that is ready has its share, the one that had none for longest first.
        """
        now, turns = self._clock(), []
        share = max(1, limit // max(1, len(self._ready)))
        given: dict[str, int] = {}
        for lane in list(self._ready.values()):
            if limit <= 0:
                break
            trunk, taken = lane.trunk, given.get(lane.trunk.name, 0)
            room = min(limit, share, lane.room(now, is_crowded=self.is_crowded))
            if trunk is not lane or taken:
                room = min(room, trunk.room(now, is_crowded=self.is_crowded) - taken)
            if room > 0:
                turns.append(lane.turn(room))
                limit -= room
                given[trunk.name] = taken + room
            elif not taken:
                self._review(lane)
        return turns

    def served(self, turns: Sequence[LaneTurn], claimed: Sequence[ClaimedDelivery]) -> None:
        """That came of the turns, and is about to enter. Nobody waits where less came than was asked for."""
        counts: dict[str, int] = {}
        for one in claimed:
            counts[one.delivery.lane] = counts.get(one.delivery.lane, 0) + 1
        for turn in turns:
            lane = self._lanes.get(turn.lane)
            if lane is None:
                continue
            # behind the others that are ready
            self._ready.pop(turn.lane, None)
            taken = counts.get(turn.lane, 0)
            lane.is_waiting = taken >= turn.room
            self._review(lane, taken)

    def share(self, sharers: int) -> None:
        """So many notifiers live, this one among them: each takes its part of what destinations may be sent."""
        if sharers == self._sharers or sharers < 1:
            return
        self._sharers, now = sharers, self._clock()
        self._unknown = self._room_of_unknown()
        for lane in self._lanes.values():
            lane.share(sharers, now)

    async def run(self, on_tick: Callable[[], None]) -> None:
        """Look again when there may be room, until cancelled; ``on_tick`` is called several times a second."""
        while True:
            self._sooner.clear()
            on_tick()
            self.tick()
            pause_s = min(TICK_S, self._wakes[0][0] - self._clock()) if self._wakes else TICK_S
            try:
                async with asyncio.timeout(max(0.001, pause_s)):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    def tick(self) -> None:
        """Look where there may be room by now, forget some of the idle, and count."""
        now = self._clock()
        while self._wakes and self._wakes[0][0] <= now:
            at, name = heapq.heappop(self._wakes)
            lane = self._lanes.get(name)
            if lane is not None and lane.wake_at == at:
                lane.wake_at = None
                self._review(lane)
        self._forget_idle(now)
        self._count(now)

    def _fit_into_trunks(
        self, claimed: Sequence[ClaimedDelivery], rest: list[ClaimedDelivery]
    ) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        """Each lane has room for its own; what is sent by all lanes of a destination must fit into that one's."""
        now = self._clock()
        room: dict[str, int] = {}
        fitting: list[ClaimedDelivery] = []
        for one in claimed:
            lane = self._lanes.get(one.delivery.lane)
            name = one.delivery.lane if lane is None else lane.trunk.name
            left = room.get(name)
            if left is None:
                left = self._unknown if lane is None else lane.trunk.room(now, is_crowded=self.is_crowded)
            room[name] = left - 1
            (fitting if left > 0 else rest).append(one)
        return fitting, rest

    def _left(self, lane: AnyLane) -> None:
        if lane.is_new:
            self._told.pop(lane.name, None)
        if lane.is_waiting:
            self._review(lane)

    def _let_in(self, trunk: Lane) -> None:
        """Look at those that waited for room at that destination: as many as it has room for, or the first at least."""
        room = max(1, trunk.room(self._clock(), is_crowded=self.is_crowded))
        for held in list(islice(trunk.held, room)):
            del trunk.held[held]
            lane = self._lanes.get(held)
            if lane is not None:
                self._review(lane)

    def _make(self, name: str, now: float) -> AnyLane:
        if not self.has_place:
            self._make_place()
        destination = destination_of_lane(name)
        if destination == name:
            lane = self._lanes[name] = Lane(name, self._plan, self._widest, self._sharers, now)
            return lane
        trunk = self._lanes.get(destination) or self._make(destination, now)
        trunk.trunk.branches += 1
        self._branches += 1
        branch = self._lanes[name] = EndpointLane(name, trunk.trunk, self._sharers, now)
        return branch

    def _make_place(self) -> None:
        """What waits there stays in the store, and is come upon again; a circuit would have to open anew."""
        for lane in self._lanes.values():
            if lane.in_flight == 0 and not (lane.trunk is lane and lane.trunk.branches):
                self._forget(lane)
                return

    def _forget(self, lane: AnyLane) -> None:
        for known in (self._lanes, self._told, self._ready, self._broken):
            known.pop(lane.name, None)
        if lane.trunk is not lane:
            lane.trunk.held.pop(lane.name, None)
            lane.trunk.branches -= 1
            self._branches -= 1

    def _forget_idle(self, now: float) -> None:
        """Some at each tick, in turn: to go through ten thousand at once would hold up what is under way."""
        for lane in list(islice(self._lanes.values(), LOOKED_AT)):
            patience_s = IDLE_S if lane.trunk is not lane or lane.trunk.breaker.is_unblemished else FORGOTTEN_S
            if lane.is_forgettable and now - lane.idle_since >= patience_s:
                self._forget(lane)
            else:
                self._lanes[lane.name] = self._lanes.pop(lane.name)

    def _count(self, now: float) -> None:
        if self._observer is None:
            return
        counts = dict.fromkeys(Circuit, 0)
        for lane in self._broken.values():
            counts[lane.breaker.circuit(now)] += 1
        counts[Circuit.CLOSED] = len(self._lanes) - self._branches - len(self._broken)
        self._observer.on_lanes(counts)

    def _review(self, lane: AnyLane, taken: int = 0) -> None:
        """Put a lane where it belongs: ready, or to be looked at later, or neither; so many are about to enter."""
        now = self._clock()
        if lane.is_waiting and lane.room(now, is_crowded=self.is_crowded) > taken:
            self._ready[lane.name] = lane
            self._on_ready()
            return
        self._ready.pop(lane.name, None)
        if lane.is_waiting and lane.trunk is not lane and lane.trunk.room(now, is_crowded=self.is_crowded) <= 0:
            lane.trunk.held[lane.name] = lane
        at = lane.opens_at(now) if lane.is_waiting else None
        if at is not None and (lane.wake_at is None or at < lane.wake_at):
            lane.wake_at = at
            heapq.heappush(self._wakes, (at, lane.name))
            if self._wakes[0][0] >= at:
                self._sooner.set()

    def _room_of_unknown(self) -> int:
        now = self._clock()
        return max(1, Lane("", self._plan, self._widest, self._sharers, now).room(now))


def _nothing() -> None:
    return
