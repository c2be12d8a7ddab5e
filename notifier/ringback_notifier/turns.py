"""Which lanes are ready to take of what waits for them in the store, in which order, and when to look again.

A lane with waiting deliveries is *ready* (it has room), or *held* at its destination's lane (which has none), or is to
be looked at at a known time (its rate or its circuit says when), or at the end of something that is in flight.
"""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from itertools import islice

from ringback_notifier.lane import Lane
from ringback_notifier.roster import AnyLane, Roster
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.lanes import LaneTurn


class Turns:
    """The lanes that have deliveries waiting; each that is ready gets its turn."""

    def __init__(self, roster: Roster, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds that never go back."""
        self._roster = roster
        self._clock = clock
        self._on_ready: Callable[[], None] = _nothing
        self._ready: dict[str, AnyLane] = {}
        self._wakes: list[tuple[float, str]] = []
        self._sooner = asyncio.Event()

    def begin(self, on_ready: Callable[[], None]) -> None:
        """Call that whenever a lane is ready."""
        self._on_ready = on_ready

    @property
    def is_ready(self) -> bool:
        """Whether any lane is."""
        return bool(self._ready)

    def give(self, limit: int) -> list[LaneTurn]:
        """What to take, at most so many in all: each that is ready has its share, who had none for longest first."""
        now, turns = self._clock(), []
        share = max(1, limit // max(1, len(self._ready)))
        given: dict[str, int] = {}
        for lane in list(self._ready.values()):
            if limit <= 0:
                break
            trunk, taken = lane.trunk, given.get(lane.trunk.name, 0)
            room = min(limit, share, self._roster.room(lane, now))
            if trunk is not lane or taken:
                room = min(room, self._roster.room(trunk, now) - taken)
            if room > 0:
                turns.append(lane.turn(room))
                limit -= room
                given[trunk.name] = taken + room
            elif not taken:
                self.review(lane)
        return turns

    def served(self, turns: Sequence[LaneTurn], claimed: Sequence[ClaimedDelivery]) -> None:
        """That came of the turns, and is about to enter. Nobody waits where less came than was asked for."""
        counts: dict[str, int] = {}
        for one in claimed:
            counts[one.delivery.lane] = counts.get(one.delivery.lane, 0) + 1
        for turn in turns:
            lane = self._roster.get(turn.lane)
            if lane is None:
                continue
            # behind the others that are ready
            self._ready.pop(turn.lane, None)
            taken = counts.get(turn.lane, 0)
            lane.is_waiting = taken >= turn.room
            self.review(lane, taken)

    def review(self, lane: AnyLane, taken: int = 0) -> None:
        """Put a lane where it belongs: ready, or to be looked at later, or neither; so many are about to enter."""
        now = self._clock()
        if lane.is_waiting and self._roster.room(lane, now) > taken:
            self._ready[lane.name] = lane
            self._on_ready()
            return
        self._ready.pop(lane.name, None)
        if lane.is_waiting and lane.trunk is not lane and self._roster.room(lane.trunk, now) <= 0:
            lane.trunk.held[lane.name] = lane
        at = lane.opens_at(now) if lane.is_waiting else None
        if at is not None and (lane.wake_at is None or at < lane.wake_at):
            lane.wake_at = at
            heapq.heappush(self._wakes, (at, lane.name))
            if self._wakes[0][0] >= at:
                self._sooner.set()

    def let_in(self, trunk: Lane) -> None:
        """Look at those that waited for room at that destination: as many as it has room for, or the first at least."""
        room = max(1, self._roster.room(trunk, self._clock()))
        for held in list(islice(trunk.held, room)):
            del trunk.held[held]
            lane = self._roster.get(held)
            if lane is not None:
                self.review(lane)

    def forget(self, lane: AnyLane) -> None:
        """It is not in memory any more."""
        self._ready.pop(lane.name, None)
        lane.trunk.held.pop(lane.name, None)

    def wake(self) -> None:
        """Look at those that may have room by now."""
        now = self._clock()
        while self._wakes and self._wakes[0][0] <= now:
            at, name = heapq.heappop(self._wakes)
            lane = self._roster.get(name)
            if lane is not None and lane.wake_at == at:
                lane.wake_at = None
                self.review(lane)

    async def pause(self, longest_s: float) -> None:
        """Until one may have room, so long at most."""
        self._sooner.clear()
        pause_s = min(longest_s, self._wakes[0][0] - self._clock()) if self._wakes else longest_s
        try:
            async with asyncio.timeout(max(0.001, pause_s)):
                await self._sooner.wait()
        except TimeoutError:
            return


def _nothing() -> None:
    return
