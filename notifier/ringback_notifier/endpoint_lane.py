"""The lane of an endpoint that has limits of its own, beside that of its destination. No I/O; times are passed in.

What a destination shows (window, circuit, its rate) holds for all that goes there, so it is kept once, in its lane. The
endpoint's lane adds a rate and a cap of its own, and whether it takes one at a time.
"""

from dataclasses import dataclass

from ringback_notifier.bucket import Rate
from ringback_notifier.lane import Lane, Queue
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.lanes import LaneTurn

_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an endpoint may be sent, by all notifiers together."""

    rate_per_s: float | None = None
    """Sends in any second; absent: no limit of its own."""
    max_in_flight: int | None = None
    hold_s: float | None = None
    """It takes one at a time; one that fails holds up the others for so long at most."""


NO_LIMITS = Limits()


def limits_of(endpoint: EndpointRecord, hold_s: float) -> Limits:
    """The limits of an endpoint: of its own rate and the one that it consented to, the lower."""
    settings = endpoint.settings
    consented = endpoint.consent_rate_per_minute
    rates = [settings.rate_limit_per_s, None if consented is None else consented / _MINUTE_S]
    rate = min((rate for rate in rates if rate is not None), default=None)
    return Limits(rate, settings.max_in_flight, hold_s if settings.is_fifo else None)


class EndpointLane(Queue):
    """One endpoint with limits. Whatever is sent by it is in its destination's lane too."""

    __slots__ = ("_limits", "_rate", "_sharers", "trunk")

    def __init__(self, name: str, trunk: Lane, sharers: int, now: float) -> None:
        """``trunk`` is its destination's; ``sharers`` how many notifiers there are. No limits until they are known."""
        super().__init__(name, now)
        self.trunk = trunk
        self._sharers = sharers
        self._limits = NO_LIMITS
        self._rate: Rate | None = None

    def limit(self, limits: Limits, now: float) -> None:
        """These limits from now on."""
        if limits == self._limits:
            return
        self._limits = limits
        self._set_rate(now)

    def share(self, sharers: int, now: float) -> None:
        """So many notifiers share its limits from now on."""
        self._sharers = sharers
        self._set_rate(now)

    def room(self, now: float, *, is_crowded: bool = False) -> int:
        """How many more may be sent; ``is_crowded`` when slow receivers hold much of the notifier."""
        return min(self.own_room(now), self.trunk.room(now, is_crowded=is_crowded))

    def own_room(self, now: float) -> int:
        """As ``room``, whatever else goes to its destination."""
        most = self._most()
        room = max(0, most - self.in_flight)
        return room if self._rate is None else min(room, self._rate.available(now))

    def room_for_newcomers(self, now: float, *, is_crowded: bool = False) -> int:
        """As ``room``, for deliveries that do not wait yet: they go behind those that do."""
        return 0 if self.is_waiting else self.room(now, is_crowded=is_crowded)

    def reason(self, now: float) -> WaitReason:
        """Why there is no more room."""
        if not self.trunk.breaker.is_closed:
            return WaitReason.CIRCUIT
        if self.in_flight >= self._most():
            return WaitReason.IN_FLIGHT
        if self._rate is not None and self._rate.available(now) < self._most() - self.in_flight:
            return WaitReason.RATE
        return self.trunk.reason(now)

    def opens_at(self, now: float) -> float | None:
        """When there may be room without anything ending; absent when only that can make some."""
        if self.trunk.room(now) <= 0:
            return self.trunk.opens_at(now)
        if self._rate is not None and self.in_flight < self._most():
            return self._rate.ready_at(now)
        return None

    def turn(self, room: int) -> LaneTurn:
        """Ask for so many of those that wait; of a line for its head."""
        if self._limits.hold_s is not None:
            return LaneTurn(self.name, 1, 0, self._limits.hold_s)
        return super().turn(room)

    def enter(self, now: float) -> bool:
        """A delivery is sent; True when it is a probe."""
        self.in_flight += 1
        if self._rate is not None:
            self._rate.take(now)
        return self.trunk.enter(now)

    @property
    def is_paced(self) -> bool:
        """Whether sends are kept apart."""
        return self._rate is not None or self.trunk.is_paced

    def pause_s(self, now: float) -> float:
        """Seconds until one may be sent, that has room."""
        pause_s = self.trunk.pause_s(now)
        return pause_s if self._rate is None else max(pause_s, self._rate.pause_s(now))

    def sent(self, now: float) -> None:
        """One is sent."""
        if self._rate is not None:
            self._rate.sent(now)
        self.trunk.sent(now)

    def put_back(self, now: float) -> None:
        """One that entered is not sent, and leaves."""
        if self._rate is not None:
            self._rate.put_back(now)
        self.trunk.put_back(now)

    def leave(self, now: float, *, is_probe: bool) -> None:
        """A delivery is done with, answered or not."""
        self.in_flight -= 1
        self.idle_since = now
        self.trunk.leave(now, is_probe=is_probe)

    @property
    def is_new(self) -> bool:
        """Whether a claim need not be told of it: what is beyond its limits is given back then."""
        return self.is_forgettable

    @property
    def is_forgettable(self) -> bool:
        """Whether little is lost with it, once it has been idle for long enough."""
        return self.in_flight == 0 and not self.is_waiting

    def _most(self) -> int:
        if self._limits.hold_s is not None:
            return 1
        most = self._limits.max_in_flight
        return _UNBOUNDED if most is None else max(1, most // self._sharers)

    def _set_rate(self, now: float) -> None:
        per_s = self._limits.rate_per_s
        if per_s is None:
            self._rate = None
        elif self._rate is None:
            self._rate = Rate(per_s / self._sharers, now)
        else:
            self._rate.change(per_s / self._sharers, now)


_UNBOUNDED = 1_000_000
"""More than any notifier has slots."""
