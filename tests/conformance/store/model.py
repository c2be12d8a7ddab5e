"""What a store should answer, in plain Python: the states of jobs and deliveries, and the fences, without a database.

Time stands still in it: a moment is either past or an hour away.
"""

from dataclasses import dataclass, field

from ringback_schemas.ids import DeliveryId, InstanceId, JobId
from ringback_schemas.jobs import JobOutcome
from ringback_schemas.states import (
    DELIVERY_DONE,
    DELIVERY_READY,
    JOB_DONE,
    JOB_READY,
    JOB_TRANSITIONS,
    DeliveryState,
    JobState,
)


@dataclass
class ModelJob:
    """A job as it should be."""

    state: JobState
    is_due: bool
    is_expired: bool
    is_cancel_requested: bool = False
    attempt: int = 0
    owner: InstanceId | None = None
    uncharged: int = 0
    losses: int = 0
    past_attempts: list[int] = field(default_factory=list)
    """Attempts that should be on record."""
    deliveries: list[DeliveryId] = field(default_factory=list)

    @property
    def may_start(self) -> bool:
        """Whether a claim should take it."""
        return self.state in JOB_READY and self.is_due and not self.is_expired

    def claim(self, owner: InstanceId) -> None:
        """It is claimed."""
        self.state, self.owner, self.attempt = JobState.RUNNING, owner, self.attempt + 1

    def finish(self, outcome: JobOutcome) -> bool:
        """Whether the outcome should be recorded; then it is."""
        is_same = (outcome.attempt, outcome.owner) == (self.attempt, self.owner)
        if not is_same or outcome.state not in JOB_TRANSITIONS[self.state]:
            return False
        self.state, self.owner = outcome.state, None
        if outcome.state is JobState.RETRYING:
            self.past_attempts.append(outcome.attempt)
            self.is_due = outcome.retry_in_s == 0 or self.is_cancel_requested
        if outcome.event is not None:
            self.deliveries = [delivery.id for delivery in outcome.event.deliveries]
        return True

    def request_cancel(self) -> None:
        """Somebody wants it stopped; that means something only while it runs."""
        self.is_cancel_requested |= self.state is JobState.RUNNING

    def give_back(self, *, is_lost: bool) -> None:
        """It is released, or taken from the dead."""
        self.state, self.owner = JobState.QUEUED, None
        self.uncharged += 1
        self.losses += is_lost
        self.past_attempts.append(self.attempt)

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.state in JOB_DONE


@dataclass
class ModelDelivery:
    """A delivery as it should be."""

    state: DeliveryState = DeliveryState.PENDING
    is_due: bool = True
    attempt: int = 0
    tries: int = 0
    owner: InstanceId | None = None
    attempts: list[int] = field(default_factory=list)

    @property
    def may_be_sent(self) -> bool:
        """Whether a claim should take it."""
        return self.state in DELIVERY_READY and self.is_due

    def claim(self, owner: InstanceId) -> None:
        """It is claimed."""
        self.state, self.owner, self.attempt = DeliveryState.SENDING, owner, self.attempt + 1

    def record(self, owner: InstanceId, attempt: int, state: DeliveryState, *, is_due: bool) -> bool:
        """Whether the attempt should be recorded; then it is."""
        if (self.state, self.owner, self.attempt) != (DeliveryState.SENDING, owner, attempt):
            return False
        self.state, self.owner, self.is_due = state, None, is_due
        self.tries += 1
        self.attempts.append(attempt)
        return True

    def lose(self) -> None:
        """Its notifier died."""
        self.attempts.append(self.attempt)
        self.state, self.owner, self.is_due = DeliveryState.RETRYING, None, True
        self.tries += 1

    def release(self) -> None:
        """It was given back unsent: fresh if it was never tried, a retry otherwise."""
        self.state, self.owner = DeliveryState.RETRYING if self.attempts else DeliveryState.PENDING, None

    def redeliver(self) -> None:
        """Somebody asked for it again."""
        if self.state in (DeliveryState.RETRYING, *DELIVERY_DONE):
            self.state, self.is_due, self.tries = DeliveryState.PENDING, True, 0


@dataclass
class Model:
    """All jobs, deliveries and keys."""

    jobs: dict[JobId, ModelJob] = field(default_factory=dict)
    deliveries: dict[DeliveryId, ModelDelivery] = field(default_factory=dict)
    keys: dict[str, JobId] = field(default_factory=dict)
