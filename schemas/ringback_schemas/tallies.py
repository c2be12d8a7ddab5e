"""How much waits, for metrics and readiness."""

from dataclasses import dataclass

COUNT_CAP = 10_000
"""Counts stop here, so that asking costs the same whatever the backlog."""


@dataclass(frozen=True, slots=True)
class QueueTally:
    """One queue; counts are capped at ``COUNT_CAP``."""

    queue: str
    ready: int
    running: int
    oldest_ready_age_s: float


@dataclass(frozen=True, slots=True)
class Tallies:
    """All queues with something in them, and the deliveries."""

    queues: tuple[QueueTally, ...]
    deliveries_due: int
    oldest_due_age_s: float
