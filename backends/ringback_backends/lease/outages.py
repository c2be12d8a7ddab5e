"""When something that goes wrong again and again is told: not every time."""

import time
from dataclasses import dataclass

REMIND_S = 60.0
"""How often an outage that goes on is told again."""


class Outage:
    """What one loop knows of the outage it is in, if any."""

    def __init__(self) -> None:
        self._under_way: _UnderWay | None = None

    def is_news(self, kind: str) -> bool:
        """Whether this failure is to be told: an outage begins, becomes another, or has gone on for long."""
        now, before = time.monotonic(), self._under_way
        if before is not None and before.kind == kind and now < before.told_at + REMIND_S:
            return False
        self._under_way = _UnderWay(now if before is None else before.since, now, kind)
        return True

    def over(self) -> float | None:
        """That something succeeded: seconds since the outage began; absent when there was none."""
        before, self._under_way = self._under_way, None
        return None if before is None else time.monotonic() - before.since


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An outage; times are seconds of the monotonic clock."""

    since: float
    told_at: float
    kind: str
