"""The lanes that a notifier has in memory: made when something first goes by them, forgotten when nothing does.

Memory only, and only for what is active: what waits is in the store. Used from one event loop.
"""

from collections.abc import Callable
from itertools import islice

from ringback_notifier.endpoint_lane import EndpointLane
from ringback_notifier.lane import Lane, LanePlan
from ringback_schemas.lane_names import destination_of_lane

IDLE_S = 60.0
"""A lane that was idle for so long is forgotten. As long as a receiver keeps the window that it earned."""

FORGOTTEN_S = 900.0
"""As ``IDLE_S``, for one that failed: three of the longest pauses in which nothing came to probe it with."""

MOST_LANES = 10_000
"""Beyond it the oldest without a delivery in flight is forgotten, whatever its state: some 10 MB."""

LOOKED_AT = 100
"""Lanes that a tick looks at to forget them: all of ten thousand in 25 s."""

AnyLane = Lane | EndpointLane


class Roster:
    """The lanes of a notifier by name, and what holds for all of them."""

    def __init__(self, plan: LanePlan, widest: int, on_forgotten: Callable[[AnyLane], None]) -> None:
        """``widest`` is how many slots the notifier has; ``on_forgotten`` is called with each lane that goes."""
        self._plan = plan
        self._widest = widest
        self._on_forgotten = on_forgotten
        self._sharers = 1
        self._lanes: dict[str, AnyLane] = {}
        self.branches = 0
        """How many of them are lanes of endpoints."""
        self.is_crowded = False
        """Whether slow receivers hold much of the notifier."""

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._lanes)

    @property
    def destinations(self) -> int:
        """How many of them are lanes of destinations."""
        return len(self._lanes) - self.branches

    @property
    def has_place(self) -> bool:
        """Whether more may be remembered."""
        return len(self._lanes) < MOST_LANES

    def get(self, name: str) -> AnyLane | None:
        """That lane, if it is in memory."""
        return self._lanes.get(name)

    def at(self, name: str, now: float) -> AnyLane:
        """That lane, made if it is not in memory; an endpoint's with that of its destination."""
        return self._lanes.get(name) or self._make(name, now)

    def room(self, lane: AnyLane, now: float) -> int:
        """How many more may be sent by it, as things are."""
        return lane.room(now, is_crowded=self.is_crowded)

    def room_of_unknown(self, now: float) -> int:
        """How many may be sent to a destination that is not in memory."""
        return max(1, Lane("", self._plan, self._widest, self._sharers, now).room(now))

    def share(self, sharers: int, now: float) -> bool:
        """So many notifiers live: each takes its part of the limits. False when that changes nothing."""
        if sharers == self._sharers or sharers < 1:
            return False
        self._sharers = sharers
        for lane in self._lanes.values():
            lane.share(sharers, now)
        return True

    def forget_idle(self, now: float) -> None:
        """Some at each call, in turn: to go through ten thousand at once would hold up what is under way."""
        for lane in list(islice(self._lanes.values(), LOOKED_AT)):
            patience_s = IDLE_S if lane.trunk is not lane or lane.trunk.breaker.is_unblemished else FORGOTTEN_S
            if lane.is_forgettable and now - lane.idle_since >= patience_s:
                self._forget(lane)
            else:
                self._lanes[lane.name] = self._lanes.pop(lane.name)

    def _make(self, name: str, now: float) -> AnyLane:
        if not self.has_place:
            self._make_place()
        destination = destination_of_lane(name)
        if destination == name:
            lane = self._lanes[name] = Lane(name, self._plan, self._widest, self._sharers, now)
            return lane
        trunk = self.at(destination, now).trunk
        trunk.branches += 1
        self.branches += 1
        branch = self._lanes[name] = EndpointLane(name, trunk, self._sharers, now)
        return branch

    def _make_place(self) -> None:
        """What waits there stays in the store, and is come upon again; a circuit would have to open anew."""
        for lane in self._lanes.values():
            if lane.in_flight == 0 and not (lane.trunk is lane and lane.trunk.branches):
                self._forget(lane)
                return

    def _forget(self, lane: AnyLane) -> None:
        del self._lanes[lane.name]
        if lane.trunk is not lane:
            lane.trunk.branches -= 1
            self.branches -= 1
        self._on_forgotten(lane)
