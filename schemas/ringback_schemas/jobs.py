"""Jobs as the inside of Ringback sees them: before they are stored, stored, claimed, and ended.

Times are aware and in UTC. Payload, result and error are JSON as bytes: serialised once, never re-encoded.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ringback_schemas.events import NewEvent
from ringback_schemas.ids import DeliveryId, InstanceId, JobId, TenantId
from ringback_schemas.states import JOB_DONE, JobState


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's promise that two requests are one."""

    key: str
    fingerprint: bytes
    """SHA-256 of the request's canonical body: the same key with another body is refused."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A valid request to run a task, before the store has it."""

    id: JobId
    tenant_id: TenantId
    type: str
    payload: bytes
    queue: str = "default"
    priority: int = 0
    """Greater goes first."""
    callback_url: str | None = None
    callback_events: tuple[str, ...] = ()
    """Event types to send to the callback; empty means every terminal event."""
    tags: tuple[str, ...] = ()
    run_at: datetime | None = None
    """Absent: at once. At most one of ``run_at`` and ``delay_s``."""
    delay_s: float | None = None
    expires_at: datetime | None = None
    """A job that has not started by then ends as ``expired``."""
    timeout_s: float = 60.0
    max_attempts: int = 3
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job is committed."""

    job_id: JobId
    state: JobState
    created_at: datetime
    run_at: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """The idempotency key was used for the same request before; nothing new was stored."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class KeyMismatch:
    """The idempotency key was used for another request; nothing was stored."""

    job_id: JobId


Acceptance = Accepted | Replayed | KeyMismatch


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A stored job without its payload and result."""

    id: JobId
    tenant_id: TenantId
    type: str
    queue: str
    priority: int
    state: JobState
    attempt: int
    """How often it was claimed: 0 before the first attempt. Fences late results together with ``owner``."""
    uncharged: int
    """How many of those attempts do not count against ``max_attempts``: given back, or lost with their worker."""
    losses: int
    """How many workers died while they ran it."""
    max_attempts: int
    timeout_s: float
    created_at: datetime
    run_at: datetime
    """When it may start; for a retry, when that is due."""
    expires_at: datetime | None
    started_at: datetime | None
    """Start of the newest attempt."""
    finished_at: datetime | None
    owner: InstanceId | None
    """The instance that runs it; absent unless ``running``."""
    is_cancel_requested: bool
    callback_url: str | None
    callback_events: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def is_done(self) -> bool:
        """Whether it has reached its one terminal state."""
        return self.state in JOB_DONE

    @property
    def charged_attempts(self) -> int:
        """Attempts that count against ``max_attempts``."""
        return self.attempt - self.uncharged


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this instance now owns, and what to run it with."""

    job: JobRecord
    payload: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running task last told of itself."""

    fraction: float | None
    message: str | None
    updated_at: datetime


class AttemptOutcome(StrEnum):
    """How an attempt that did not end its job went."""

    RETRY = "retry"
    RELEASED = "released"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobAttempt:
    """An attempt that did not end its job; the one that did is in the job's own fields."""

    attempt: int
    outcome: AttemptOutcome
    started_at: datetime
    ended_at: datetime
    error: bytes | None
    instance_id: InstanceId


@dataclass(frozen=True, slots=True)
class JobDetail:
    """A stored job with all that is known of it; result and error are absent until there is one."""

    job: JobRecord
    payload: bytes
    result: bytes | None
    error: bytes | None
    progress: Progress | None
    attempts: tuple[JobAttempt, ...]


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What the store shall record for one attempt, or for a job that ends without one.

    It is recorded only while the job still has this ``owner`` and ``attempt`` and is not done: else it is *fenced*.
    ``owner`` is absent for a job that ends while it waits (cancelled, expired).
    """

    job_id: JobId
    attempt: int
    owner: InstanceId | None
    state: JobState
    """A terminal state, or ``retrying``."""
    result: bytes | None = None
    error: bytes | None = None
    retry_in_s: float = 0.0
    """Only for ``retrying``: seconds from now, by the database's clock."""
    event: NewEvent | None = None
    """Written with its deliveries in the same transaction; absent for ``retrying``."""

    @property
    def delivery_ids(self) -> tuple[DeliveryId, ...]:
        """The deliveries that it asks for itself."""
        return () if self.event is None else tuple([delivery.id for delivery in self.event.deliveries])


@dataclass(frozen=True, slots=True)
class JobRef:
    """One attempt of one job, and where to announce it."""

    job_id: JobId
    attempt: int
    queue: str


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list: absent fields do not narrow."""

    states: tuple[JobState, ...] = ()
    type: str | None = None
    tag: str | None = None
    queue: str | None = None
    created_after: datetime | None = None
