"""Keeps a rate in any window of a second: a bucket grants, a pace keeps apart. Pure: the time is passed in."""

MARGIN = 0.02
"""Shares of the rate: so much is the bucket's size, and so much slower it fills."""

LONGEST_WAIT_S = 10.0
"""What was taken waits so long for its turn at most. At a webhook a minute it would hold a slot for minutes."""


class Bucket:
    """Grants at most ``rate`` sends in any second: ``max(1, 2 %)`` at once, and 98 % of the rate over time.

    A bucket that fills at the full rate would let a full bucket more than the rate into one second; the two per cent
    are also what the way to the receiver may bunch up. At 10 a second: one at a time, 9.8 a second.
    """

    __slots__ = ("_at", "_per_s", "_size", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        """Full; ``rate`` is in sends per second, above 0."""
        self._size = size_of(rate)
        self._per_s = rate * (1 - MARGIN)
        self._tokens = float(self._size)
        self._at = now

    def set_rate(self, rate: float, now: float) -> None:
        """Another rate from now on; what is in it stays, if there is room."""
        self._fill(now)
        self._size, self._per_s = size_of(rate), rate * (1 - MARGIN)
        self._tokens = min(self._tokens, self._size)

    def available(self, now: float) -> int:
        """How many may be sent now."""
        self._fill(now)
        # what should be a whole token may be a hair less in floating point
        return max(0, int(self._tokens + 1e-9))

    def take(self, now: float) -> None:
        """One is sent, granted or not: what was sent beyond the rate is waited for."""
        self._fill(now)
        self._tokens -= 1

    def put_back(self, now: float) -> None:
        """One that was taken is not sent."""
        self._fill(now)
        self._tokens = min(self._size, self._tokens + 1)

    def ready_at(self, now: float) -> float:
        """When it is worth asking again: at half a bucket, at least one token."""
        self._fill(now)
        wanted = max(1, self._size // 2)
        return now + max(0.0, wanted - self._tokens) / self._per_s

    def _fill(self, now: float) -> None:
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._per_s)
        self._at = now


class Pace:
    """Keeps sends apart where they are made: whatever held some of them up since they were granted, they go one by one.

    A look-up that takes half a second would let half a second's worth go at once, and more right behind. At most 1 % of
    the rate (at least one) go together, and 99 % of it over time: a little quicker than they are granted, so that what
    was held up is made up for. At 10 a second they are 0.101 s apart.
    """

    __slots__ = ("_each_s", "_next_at", "_together_s")

    def __init__(self, rate: float) -> None:
        """``rate`` is in sends per second, above 0."""
        self._next_at = 0.0
        self._set(rate)

    def set_rate(self, rate: float, now: float) -> None:
        """Another rate from now on; what was sent at a slower one holds up nothing for longer than at this one."""
        self._set(rate)
        self._next_at = min(self._next_at, now + self._together_s + self._each_s)

    def pause_s(self, now: float) -> float:
        """Seconds until one may be sent; to be asked again then, for another may have been quicker."""
        return max(0.0, self._next_at - self._together_s - now)

    def sent(self, now: float) -> None:
        """One is sent."""
        self._next_at = max(self._next_at, now) + self._each_s

    def _set(self, rate: float) -> None:
        self._each_s = 1 / (rate * (1 - MARGIN / 2))
        self._together_s = (max(1, int(rate * MARGIN / 2)) - 1) * self._each_s


class Rate:
    """Most sends a second: what a lane may take at once, and when each of it goes."""

    __slots__ = ("_bucket", "_pace")

    def __init__(self, per_s: float, now: float) -> None:
        """With a full bucket; ``per_s`` is above 0."""
        self._bucket = Bucket(per_s, now)
        self._pace = Pace(per_s)

    def change(self, per_s: float, now: float) -> None:
        """Another rate from now on."""
        self._bucket.set_rate(per_s, now)
        self._pace.set_rate(per_s, now)

    def available(self, now: float) -> int:
        """How many may be taken now: none while what is taken would wait for longer than it may."""
        return self._bucket.available(now) if self.is_near(now) else 0

    def is_near(self, now: float) -> bool:
        """Whether what is taken now is sent within ``LONGEST_WAIT_S``, if nothing goes before it."""
        return self._pace.pause_s(now) <= LONGEST_WAIT_S

    def near_at(self, now: float) -> float:
        """When ``is_near`` is worth asking again: when nothing need wait at all."""
        return now if self.is_near(now) else now + self._pace.pause_s(now)

    def ready_at(self, now: float) -> float:
        """When ``available`` is worth asking again."""
        return max(self._bucket.ready_at(now), self.near_at(now))

    def take(self, now: float) -> None:
        """One is taken, granted or not: what was taken beyond the rate is waited for."""
        self._bucket.take(now)

    def put_back(self, now: float) -> None:
        """One that was taken is not sent: another may be taken for it."""
        self._bucket.put_back(now)

    def pause_s(self, now: float) -> float:
        """Seconds until one that was taken may be sent; to be asked again then."""
        return self._pace.pause_s(now)

    def sent(self, now: float) -> None:
        """One is sent."""
        self._pace.sent(now)


def size_of(rate: float) -> int:
    """How many a bucket of that rate grants at once, at most."""
    return max(1, int(rate * MARGIN))
