"""The circuit breaker of a destination: a state machine without I/O; times and dice are passed in.

``closed`` → ``open`` when everything fails for long enough → ``half_open`` when the pause is over, and one delivery
may try it → ``closed`` when anything but a failure comes back, else ``open`` again, for longer.
"""

from dataclasses import dataclass

from ringback_schemas.deliveries import Verdict
from ringback_schemas.lanes import Circuit

FAILURES = frozenset(
    {
        Verdict.SERVER_ERROR,
        Verdict.TIMEOUT,
        Verdict.DNS_ERROR,
        Verdict.CONNECT_REFUSED,
        Verdict.CONNECT_ERROR,
        Verdict.TLS_ERROR,
        Verdict.RESET,
        Verdict.PREMATURE_EOF,
        Verdict.BAD_RESPONSE,
    }
)
"""What speaks against a destination. 3xx, 4xx, 410 and 429 come from one that works; a refused address is our doing."""

JITTER = 0.2


@dataclass(frozen=True, slots=True)
class BreakerPlan:
    """When a circuit opens, and when it is probed.

    It opens after ``failures`` failures in a row, or ``failed_s`` seconds spent on failures in a row, once the row is
    ``lasting_s`` old.
    The row must last, so that a restart of a receiver opens nothing, and a thousand deliveries that fail in the same
    second are tried again as their schedule says. Time counts beside failures because a receiver that hangs costs a
    slot for 15 s each time: four such attempts are enough.
    """

    failures: int = 20
    failed_s: float = 60.0
    lasting_s: float = 10.0
    first_pause_s: float = 5.0
    longest_pause_s: float = 300.0

    def pause_s(self, probes: int, dice: float) -> float:
        """Seconds until the next probe after ``probes`` that failed: ``min(300, 5 * 2**probes) * (1 + 0.2 * dice)``.

        With the defaults 5, 10, 20, … 300, and up to a fifth more, so that notifiers do not probe in step.
        """
        # beyond 2**16 it is the longest pause whatever the first was
        return min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(probes, 16)) * (1 + JITTER * dice)


class Breaker:
    """One destination's circuit."""

    __slots__ = ("_failed_s", "_failures", "_is_probing", "_plan", "_probe_at", "_probes", "_row_began_at")

    def __init__(self, plan: BreakerPlan) -> None:
        """Closed."""
        self._plan = plan
        self._reset()

    def _reset(self) -> None:
        self._failures = 0
        self._failed_s = 0.0
        self._row_began_at = 0.0
        self._probe_at: float | None = None
        self._probes = 0
        self._is_probing = False

    def circuit(self, now: float) -> Circuit:
        """Its state at that time."""
        if self._probe_at is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if now >= self._probe_at else Circuit.OPEN

    @property
    def is_closed(self) -> bool:
        """Whether deliveries flow."""
        return self._probe_at is None

    @property
    def is_unblemished(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self._probe_at is None and self._failures == 0

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    @property
    def probe_at(self) -> float | None:
        """When a delivery may try it; absent when closed, and while one does."""
        return None if self._is_probing else self._probe_at

    def may_probe(self, now: float) -> bool:
        """Whether one delivery may try an open circuit."""
        return self._probe_at is not None and not self._is_probing and now >= self._probe_at

    def begin_probe(self) -> None:
        """A delivery tries it."""
        self._is_probing = True

    def give_up_probe(self) -> None:
        """The delivery that tried it came to nothing: another may. Nothing when its answer was told already."""
        self._is_probing = False

    def succeeded(self) -> bool:
        """Something other than a failure came back; True when that closes the circuit."""
        was_closed = self.is_closed
        self._reset()
        return not was_closed

    def failed(self, began_at: float, now: float, dice: float, *, is_probe: bool = False) -> bool:
        """An attempt that began at that time failed; True when that opens the circuit.

        An attempt that was under way when the circuit opened changes nothing; a failed probe makes the pause longer.
        """
        self._failures += 1
        self._failed_s += now - began_at
        if self._failures == 1:
            self._row_began_at = began_at
        if self._probe_at is not None:
            if is_probe and self._is_probing:
                self._is_probing = False
                self._probes += 1
                self._probe_at = now + self._plan.pause_s(self._probes, dice)
            return False
        if not self._is_enough(now):
            return False
        self._probe_at = now + self._plan.pause_s(0, dice)
        return True

    def _is_enough(self, now: float) -> bool:
        plan = self._plan
        is_many = self._failures >= plan.failures or self._failed_s >= plan.failed_s
        return is_many and now - self._row_began_at >= plan.lasting_s
