"""All lanes of a notifier: which destinations have room, which have deliveries waiting, and when to look again.

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

from ringback_notifier.lane import Lane, LanePlan
from ringback_schemas.deliveries import ClaimedDelivery, Verdict, WaitReason
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

log = structlog.get_logger(__name__)


class Circuits(Protocol):
    """What lanes count; telemetry implements it."""

    def on_lanes(self, counts: Mapping[Circuit, int]) -> None:
        """So many lanes are in memory, by the state of their circuits."""


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
        self._lanes: dict[str, Lane] = {}
        # what a claim must be told of: every lane that is not as one made this moment
        self._told: dict[str, Lane] = {}
        self._ready: dict[str, Lane] = {}
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
        """How many destinations are in memory."""
        return len(self._lanes)

    @property
    def is_ready(self) -> bool:
        """Whether deliveries wait for which there is room."""
        return bool(self._ready)

    @property
    def has_place(self) -> bool:
        """Whether more destinations may be remembered."""
        return len(self._lanes) < MOST_LANES

    def may_overflow(self, count: int) -> bool:
        """Whether a claim of so many is likely to be too much for one destination.

        That is when one has little room left, for to guard against all of them being for one destination would make
        every claim of many dearer. What turns out to be too much is given back (see ``sort_out``).
        """
        now, is_crowded = self._clock(), self.is_crowded
        if self._is_limited and count > self._unknown:
            return True
        # a limit of the plan is met with every claim, so there it pays to be exact
        little = count if self._is_limited else min(count, max(1, self._unknown // 2))
        return any(lane.room_for_newcomers(now, is_crowded=is_crowded) < little for lane in self._told.values())

    def rooms(self) -> LaneRooms:
        """What a claim may take by destination."""
        now, is_crowded = self._clock(), self.is_crowded
        named = [
            LaneRoom(name, lane.room_for_newcomers(now, is_crowded=is_crowded), lane.reason(now))
            for name, lane in self._told.items()
        ]
        return LaneRooms(self._unknown, named)

    def sort_out(self, claimed: Sequence[ClaimedDelivery]) -> tuple[list[ClaimedDelivery], list[ClaimedDelivery]]:
        """What of that has room, and the rest.

        There is a rest when much came for a destination that was not known, and when a circuit opened or a window
        shrank while the claim was under way.
        """
        now = self._clock()
        room: dict[str, int] = {}
        fitting: list[ClaimedDelivery] = []
        rest: list[ClaimedDelivery] = []
        for one in claimed:
            destination = one.delivery.destination
            left = room.get(destination)
            if left is None:
                lane = self._lanes.get(destination)
                left = self._unknown if lane is None else lane.room(now, is_crowded=self.is_crowded)
            room[destination] = left - 1
            (fitting if left > 0 else rest).append(one)
        return fitting, rest

    def reason(self, destination: str) -> WaitReason:
        """Why there is no more room."""
        lane = self._lanes.get(destination)
        return WaitReason.IN_FLIGHT if lane is None else lane.reason(self._clock())

    def enter(self, destination: str) -> tuple[Lane, bool]:
        """A delivery is sent there: its lane, and whether it is a probe."""
        now = self._clock()
        lane = self._lanes.get(destination) or self._make(destination, now)
        is_probe = lane.enter(now)
        self._told[destination] = lane
        return lane, is_probe

    def answered(self, lane: Lane, verdict: Verdict, seconds: float, *, is_probe: bool) -> None:
        """An attempt ended so, after so long."""
        now = self._clock()
        failures = lane.breaker.failures
        change = lane.answered(verdict, seconds, now, self._dice(), is_probe=is_probe)
        if change is Circuit.OPEN:
            self._broken[lane.destination] = lane
            log.warning("circuit_opened", destination=lane.destination, failures=failures + 1, verdict=verdict.value)
        elif change is Circuit.CLOSED:
            self._broken.pop(lane.destination, None)
            log.info("circuit_closed", destination=lane.destination, failures=failures)

    def leave(self, lane: Lane, *, is_probe: bool) -> None:
        """A delivery is done with."""
        lane.leave(self._clock(), is_probe=is_probe)
        if lane.is_new:
            self._told.pop(lane.destination, None)
        if lane.is_waiting:
            self._review(lane)

    def note_waiting(self, destinations: Iterable[str]) -> None:
        """Deliveries wait there, in the store."""
        now = self._clock()
        for destination in destinations:
            lane = self._lanes.get(destination) or self._make(destination, now)
            lane.is_waiting = True
            self._told[destination] = lane
            self._review(lane)

    def turns(self, limit: int) -> list[LaneTurn]:
        """What to take of the deliveries that wait, at most so many in all.

        Each lane that is ready has its share, the one that had none for longest first.
        """
        now, turns = self._clock(), []
        share = max(1, limit // max(1, len(self._ready)))
        for lane in list(self._ready.values()):
            if limit <= 0:
                break
            room = min(limit, share, lane.room(now, is_crowded=self.is_crowded))
            if room > 0:
                turns.append(lane.turn(room))
                limit -= room
            else:
                self._review(lane)
        return turns

    def served(self, turns: Sequence[LaneTurn], claimed: Sequence[ClaimedDelivery]) -> None:
        """That came of the turns, and is about to enter. Nobody waits where less came than was asked for."""
        counts: dict[str, int] = {}
        for one in claimed:
            counts[one.delivery.destination] = counts.get(one.delivery.destination, 0) + 1
        for turn in turns:
            lane = self._lanes.get(turn.destination)
            if lane is None:
                continue
            # behind the others that are ready
            self._ready.pop(turn.destination, None)
            taken = counts.get(turn.destination, 0)
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
            at, destination = heapq.heappop(self._wakes)
            lane = self._lanes.get(destination)
            if lane is not None and lane.wake_at == at:
                lane.wake_at = None
                self._review(lane)
        self._forget_idle(now)
        self._count(now)

    def _make(self, destination: str, now: float) -> Lane:
        if not self.has_place:
            self._make_place()
        lane = self._lanes[destination] = Lane(destination, self._plan, self._widest, self._sharers, now)
        return lane

    def _make_place(self) -> None:
        """What waits there stays in the store, and is come upon again; a circuit would have to open anew."""
        for lane in self._lanes.values():
            if lane.in_flight == 0:
                self._forget(lane)
                return

    def _forget(self, lane: Lane) -> None:
        for known in (self._lanes, self._told, self._ready, self._broken):
            known.pop(lane.destination, None)

    def _forget_idle(self, now: float) -> None:
        """Some at each tick, in turn: to go through ten thousand at once would hold up what is under way."""
        for lane in list(islice(self._lanes.values(), LOOKED_AT)):
            patience_s = IDLE_S if lane.breaker.is_unblemished else FORGOTTEN_S
            if lane.is_forgettable and now - lane.idle_since >= patience_s:
                self._forget(lane)
            else:
                self._lanes[lane.destination] = self._lanes.pop(lane.destination)

    def _count(self, now: float) -> None:
        if self._observer is None:
            return
        counts = dict.fromkeys(Circuit, 0)
        for lane in self._broken.values():
            counts[lane.breaker.circuit(now)] += 1
        counts[Circuit.CLOSED] = len(self._lanes) - len(self._broken)
        self._observer.on_lanes(counts)

    def _review(self, lane: Lane, taken: int = 0) -> None:
        """Put a lane where it belongs: ready, or to be looked at later, or neither; so many are about to enter."""
        now = self._clock()
        if lane.is_waiting and lane.room(now, is_crowded=self.is_crowded) > taken:
            self._ready[lane.destination] = lane
            self._on_ready()
            return
        self._ready.pop(lane.destination, None)
        at = lane.opens_at(now) if lane.is_waiting else None
        if at is not None and (lane.wake_at is None or at < lane.wake_at):
            lane.wake_at = at
            heapq.heappush(self._wakes, (at, lane.destination))
            if self._wakes[0][0] >= at:
                self._sooner.set()

    def _room_of_unknown(self) -> int:
        now = self._clock()
        return max(1, Lane("", self._plan, self._widest, self._sharers, now).room(now))


def _nothing() -> None:
    return
