"""What came of one load on a stack, in numbers; pure, from what the load generator and the receiver noted.

Times are nanoseconds of the machine's monotonic clock, the same in every process.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was posted, answered and delivered."""

    jobs: Sequence[tuple[str, int, int]]
    """Each accepted one: its id, when its request was begun, how long the answer took. At least one."""
    begun_ns: Sequence[int]
    """When each request was begun, refused ones too."""
    lags_ns: Sequence[int]
    """How much later that was than it should have been; empty for the closed loop."""
    refused: Mapping[str, int]
    """How many were not accepted, by why."""
    arrivals: Mapping[str, int]
    """When the first webhook of each job came, by job id."""
    duplicates: int
    """How many webhooks came again: the same id, the same bytes."""
    bad_signatures: int
    recorded_twice: int = 0
    """How many came for a job that had one already, with another id or other bytes."""
    other_types: int = 0
    """How many told of anything but a job that succeeded."""

    @property
    def missing(self) -> list[str]:
        """The accepted jobs of which no webhook came."""
        return [name for name, _, _ in self.jobs if name not in self.arrivals]

    @property
    def unasked(self) -> int:
        """How many jobs' webhooks came although no 202 did: answers that were lost on their way."""
        return len(self.arrivals.keys() - {name for name, _, _ in self.jobs})

    def backlog(self, moments_ns: Sequence[int]) -> list[int]:
        """At each of them, how many jobs were begun and had no webhook yet; of the accepted ones."""
        begun = sorted(began for _, began, _ in self.jobs)
        arrived = sorted(self.arrivals[name] for name, _, _ in self.jobs if name in self.arrivals)
        return [bisect_right(begun, moment) - bisect_right(arrived, moment) for moment in moments_ns]


def percentiles(values_ns: Sequence[int]) -> dict[str, float]:
    """p50, p95, p99 and the greatest, in milliseconds."""
    ordered = sorted(values_ns) or [0]
    last = len(ordered) - 1
    named = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(last, int(share * len(ordered)))] / 1e6, 2) for name, share in named.items()}


def figures(outcome: Outcome) -> dict[str, Any]:
    """Counts, rates and latencies of the whole load."""
    jobs, arrivals = outcome.jobs, outcome.arrivals
    road_ns = [arrivals[name] - began for name, began, _ in jobs if name in arrivals]
    first = min(began for _, began, _ in jobs)
    last_answer = max(began + took for _, began, took in jobs)
    last_webhook = max(arrivals.values(), default=first + 1)
    return {
        "jobs": len(jobs),
        "arrived": len(road_ns),
        "refused": sum(outcome.refused.values()),
        "duplicates": outcome.duplicates,
        "bad_signatures": outcome.bad_signatures,
        "recorded_twice": outcome.recorded_twice,
        "other_types": outcome.other_types,
        "accept_per_s": round(len(jobs) / (last_answer - first) * 1e9, 1),
        "road_per_s": round(len(road_ns) / (last_webhook - first) * 1e9, 1),
        "behind_s": round((last_webhook - last_answer) / 1e9, 3),
        "accept_ms": percentiles([took for _, _, took in jobs]),
        "road_ms": percentiles(road_ns),
        "begun_late_ms": percentiles(outcome.lags_ns),
    }


def long_figures(outcome: Outcome) -> dict[str, Any]:
    """What is of interest besides when a load goes on for minutes.

    The rate at which requests were really begun: a load generator that falls behind shows there, and nowhere else.
    """
    begun = sorted(outcome.begun_ns)
    last_webhook = max(outcome.arrivals.values(), default=begun[-1])
    return {
        "submitted": len(begun),
        "submitted_per_s": round((len(begun) - 1) / max(1, begun[-1] - begun[0]) * 1e9, 1),
        "drained_s": round((last_webhook - begun[-1]) / 1e9, 3),
        "most_backlog": max(outcome.backlog(begun)),
        "unasked": outcome.unasked,
    }


def slices(outcome: Outcome, every_s: float) -> list[dict[str, Any]]:
    """The load from its first request to its last, piece by piece of so many seconds; the last may be a little other.

    Each tells when it ends, what was begun and what arrived in it, how soon the 202s came, and the backlog at its end.
    """
    begun, arrived = sorted(outcome.begun_ns), sorted(outcome.arrivals.values())
    first, last = begun[0], begun[-1]
    count = max(1, round((last - first) / 1e9 / every_s))
    ends = [*[first + int(number * every_s * 1e9) for number in range(1, count)], last]
    pieces = []
    for begin, end, waiting in zip([first - 1, *ends], ends, outcome.backlog(ends), strict=False):
        took = [took for _, began, took in outcome.jobs if begin < began <= end]
        piece = {
            "until_s": round((end - first) / 1e9, 1),
            "submitted_per_s": _per_s(begun, begin, end),
            "arrived_per_s": _per_s(arrived, begin, end),
            "accept_ms": percentiles(took),
            "backlog": waiting,
        }
        pieces.append(piece)
    return pieces


def _per_s(ordered: Sequence[int], after: int, until: int) -> float:
    count = bisect_right(ordered, until) - bisect_right(ordered, after)
    return round(count / (until - after) * 1e9, 1)
