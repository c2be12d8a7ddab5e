"""The states of jobs, deliveries and replays, and the one table of legal transitions for each.

docs/states.md draws them; a property test proves that the store allows nothing else.
"""

from enum import StrEnum

from ringback_schemas.errors import RingbackError


class JobState(StrEnum):
    """Where a job is on its road."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class DeliveryState(StrEnum):
    """Where a delivery is on its road."""

    PENDING = "pending"
    SENDING = "sending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


class ReplayState(StrEnum):
    """Where a replay is on its road."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


_JOB_WAITING_ENDS = frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.EXPIRED})

JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.SCHEDULED: _JOB_WAITING_ENDS | {JobState.QUEUED},
    JobState.QUEUED: _JOB_WAITING_ENDS,
    # queued again: given back by a stopping worker, or taken from a dead one
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.RETRYING, JobState.QUEUED}
    ),
    JobState.RETRYING: _JOB_WAITING_ENDS,
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.EXPIRED: frozenset(),
}

DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    DeliveryState.PENDING: frozenset({DeliveryState.SENDING, DeliveryState.CANCELLED}),
    # pending again: given back by a stopping notifier before anything was sent; cancelled: its endpoint was deleted
    DeliveryState.SENDING: frozenset(
        {
            DeliveryState.DELIVERED,
            DeliveryState.RETRYING,
            DeliveryState.EXHAUSTED,
            DeliveryState.PENDING,
            DeliveryState.CANCELLED,
        }
    ),
    DeliveryState.RETRYING: frozenset({DeliveryState.SENDING, DeliveryState.PENDING, DeliveryState.CANCELLED}),
    # pending again: redelivered by its id, or replayed into a line; retrying: replayed, behind what is fresh
    DeliveryState.DELIVERED: frozenset({DeliveryState.PENDING, DeliveryState.RETRYING}),
    DeliveryState.EXHAUSTED: frozenset({DeliveryState.PENDING, DeliveryState.RETRYING}),
    DeliveryState.CANCELLED: frozenset(),
}

REPLAY_TRANSITIONS: dict[ReplayState, frozenset[ReplayState]] = {
    ReplayState.PENDING: frozenset({ReplayState.RUNNING, ReplayState.CANCELLED}),
    ReplayState.RUNNING: frozenset({ReplayState.DONE, ReplayState.CANCELLED}),
    ReplayState.DONE: frozenset(),
    ReplayState.CANCELLED: frozenset(),
}

JOB_READY = (JobState.QUEUED, JobState.SCHEDULED, JobState.RETRYING)
"""States from which a worker may claim a job whose ``run_at`` has come."""

JOB_DONE = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED)

DELIVERY_READY = (DeliveryState.PENDING, DeliveryState.RETRYING)
"""States from which a notifier may claim a delivery whose ``next_attempt_at`` has come."""

DELIVERY_DONE = (DeliveryState.DELIVERED, DeliveryState.EXHAUSTED, DeliveryState.CANCELLED)

DELIVERY_REDELIVERABLE = (DeliveryState.RETRYING, DeliveryState.DELIVERED, DeliveryState.EXHAUSTED)
"""States from which a delivery may be sent again because somebody asks for it."""

REPLAY_OPEN = (ReplayState.PENDING, ReplayState.RUNNING)
"""States in which a replay has something to do."""

REPLAY_DONE = (ReplayState.DONE, ReplayState.CANCELLED)


class IllegalTransition(RingbackError):
    """A state change that the table does not allow."""

    def __init__(self, before: JobState | DeliveryState, after: JobState | DeliveryState) -> None:
        super().__init__(f"a {type(before).__name__[:-5].lower()} cannot go from {before} to {after}")


def check_job_transition(before: JobState, after: JobState) -> None:
    """Do nothing when a job may go from one state to the other.

    Raises:
        IllegalTransition: it may not.
    """
    if after not in JOB_TRANSITIONS[before]:
        raise IllegalTransition(before, after)


def check_delivery_transition(before: DeliveryState, after: DeliveryState) -> None:
    """Do nothing when a delivery may go from one state to the other.

    Raises:
        IllegalTransition: it may not.
    """
    if after not in DELIVERY_TRANSITIONS[before]:
        raise IllegalTransition(before, after)
