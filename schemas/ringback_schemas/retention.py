"""How long things are kept, and what is left of a job that was purged."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.states import JobState


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is over is kept, in seconds; 0 keeps it for ever."""

    keep_s: float = 30 * 86_400.0
    """A job, once it is done and its last webhook has ended; as long again, that there was such a job."""
    keys_s: float = 7 * 86_400.0
    """An idempotency key, from its first request."""
    audit_s: float = 365 * 86_400.0
    """An entry of the audit log, since it was written."""
    replays_s: float = 30 * 86_400.0
    """A replay, once it is done or cancelled."""


class Chore(StrEnum):
    """One kind of thing that is swept."""

    JOBS = "jobs"
    """With all that belongs to them."""
    EVENTS = "events"
    """Of no job, with their deliveries; and what an earlier version left of jobs."""
    KEYS = "keys"
    """Idempotency keys."""
    SECRETS = "secrets"
    """Signing secrets that sign no more."""
    TOMBSTONES = "tombstones"
    """That there was a job."""
    AUDIT = "audit"
    """Entries of the audit log."""
    REPLAYS = "replays"
    """That are over."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one step of a chore came to."""

    count: int
    place: str
    """Where the next step goes on; "" at the end of the walk."""
    is_more: bool
    """Whether to go on at once."""


class Purge(StrEnum):
    """What came of a request to purge a job."""

    PURGED = "purged"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PurgedJob:
    """All that is left of a job."""

    id: JobId
    tenant_id: TenantId
    type: str
    state: JobState
    finished_at: datetime
    purged_at: datetime
