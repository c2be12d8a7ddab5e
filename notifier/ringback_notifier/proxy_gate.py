"""Whether our proxy lets anything through. No I/O; times are passed in.

While it does not, nothing is claimed: what waits stays due in the store, and no attempts are spent on finding out.
"""

from ringback_notifier.circuit import Breaker, BreakerPlan
from ringback_notifier.replies import Answered, Failed
from ringback_schemas.deliveries import Verdict

PLAN = BreakerPlan(failures=3, failed_s=10.0, lasting_s=0.0, first_pause_s=1.0, longest_pause_s=30.0)
"""It shuts soon, for what goes through it is everything, and is tried often, for it is one."""

_TELL_NOTHING = frozenset(
    {Verdict.DNS_ERROR, Verdict.REFUSED_ADDRESS, Verdict.NO_CONSENT, Verdict.TIMEOUT, Verdict.UNSIGNED}
)
"""What may have ended before the proxy was asked, or while it was silent."""


def tells_of_proxy(reply: Answered | Failed) -> bool:
    """Whether such a reply shows that the proxy works."""
    if isinstance(reply, Answered):
        return True
    return reply.verdict not in _TELL_NOTHING


class ProxyGate:
    """Open, unless the proxy itself is out of order."""

    def __init__(self, plan: BreakerPlan = PLAN) -> None:
        """Open."""
        self._breaker = Breaker(plan)

    @property
    def is_open(self) -> bool:
        """Whether deliveries go out."""
        return self._breaker.is_closed

    @property
    def is_unblemished(self) -> bool:
        """Whether there is nothing to remember."""
        return self._breaker.is_unblemished

    def room(self, room: int, now: float) -> int:
        """How much of that room there is: all, none, or one delivery that tries it."""
        if self._breaker.is_closed:
            return room
        return min(room, 1) if self._breaker.may_probe(now) else 0

    def enter(self) -> bool:
        """A delivery is sent; True when it tries a gate that was shut."""
        if self._breaker.is_closed:
            return False
        self._breaker.begin_probe()
        return True

    def told(self, began_at: float, now: float, dice: float, *, is_down: bool, is_probe: bool) -> bool:
        """How it went; True when that shut or opened the gate."""
        if is_down:
            return self._breaker.failed(began_at, now, dice, is_probe=is_probe)
        return self._breaker.succeeded()

    def leave(self, *, is_probe: bool) -> None:
        """A delivery is done with, whatever came of it."""
        if is_probe:
            self._breaker.give_up_probe()
