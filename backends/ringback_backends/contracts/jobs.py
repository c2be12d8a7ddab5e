"""The part of the store's contract that keeps jobs.

Every call is one transaction. Set-based calls lock rows in id order and skip rows that somebody else holds, so that two
of them never deadlock. ``now`` is always the database's clock.
"""

from collections.abc import Sequence
from typing import Protocol

from ringback_schemas.ids import DeliveryId, InstanceId, JobId, TenantId
from ringback_schemas.jobs import (
    Acceptance,
    ClaimedJob,
    IdempotencyKey,
    JobDetail,
    JobFilter,
    JobOutcome,
    JobRecord,
    JobRef,
    KeyMismatch,
    NewJob,
    Replayed,
)

Recorded = tuple[DeliveryId, ...] | None
"""The deliveries that a recorded outcome brought about, often none; None for one that was not recorded."""


class JobStore(Protocol):
    """Keeps jobs from the 202 to their end.

    Any call may raise ``StoreUnavailable``; then it may or may not have happened.
    """

    async def accept(self, jobs: Sequence[NewJob]) -> list[Acceptance]:
        """Store jobs with their idempotency keys, and answer in the same order.

        A job whose key is known to its tenant is not stored: ``Replayed`` when the fingerprint is the same, else
        ``KeyMismatch``. That holds within one call too. A job is ``scheduled`` when its ``run_at`` is yet to come,
        else ``queued``.

        Raises:
            RowRefused: the database will not have one of the rows; none of the call is stored.
        """

    async def find_replay(self, tenant_id: TenantId, key: IdempotencyKey) -> Replayed | KeyMismatch | None:
        """What ``accept`` would answer to a job with that key; absent when the key is free. Stores nothing."""

    async def claim_jobs(
        self, owner: InstanceId, job_ids: Sequence[JobId], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """Take those of the named jobs that may start now, at most ``limit``: the rest is left as it is.

        May start: state ready, ``run_at`` come, not expired, type among ``task_types``, held by nobody. A claimed job
        is ``running``, belongs to ``owner``, and its ``attempt`` is one more. Unknown ids are ignored. The answer is
        in the order of ``job_ids``.
        """

    async def claim_due_jobs(
        self, owner: InstanceId, queues: Sequence[str], task_types: Sequence[str], limit: int
    ) -> list[ClaimedJob]:
        """As ``claim_jobs`` for what may start in those queues: greatest priority first, then the oldest ``run_at``."""

    async def finish_jobs(self, outcomes: Sequence[JobOutcome]) -> list[Recorded]:
        """Record outcomes with their results, events and deliveries; answer for each with the deliveries to announce.

        None means *fenced*: the job is done, or has another owner or attempt, or is unknown; then nothing of that
        outcome is stored. ``succeeded``, ``failed`` and ``retrying`` are only recorded for a running job, ``expired``
        only for one that waits. A ``retrying`` attempt goes into the job's attempts with its error; when
        the job shall be cancelled it is due at once, for whoever claims it next to end it.

        Raises:
            RowRefused: the database will not have one of the rows; none of the call is stored.
        """

    async def release_jobs(self, owner: InstanceId, jobs: Sequence[JobRef]) -> list[bool]:
        """Give back running jobs, uncharged and due at once; False for those that were no longer the owner's."""

    async def save_progress(
        self, owner: InstanceId, job_id: JobId, attempt: int, fraction: float | None, message: str | None
    ) -> bool:
        """Store what a running task tells of itself; False when it is no longer the owner's."""

    async def request_cancel(self, tenant_id: TenantId, job_id: JobId) -> JobRecord | None:
        """Ask the owner of a running job to stop it; the job as it is now, changed or not; absent if unknown."""

    async def cancel_requests(self, owner: InstanceId) -> list[JobRef]:
        """The owner's running jobs that shall be stopped."""

    async def held_jobs(self, owner: InstanceId) -> list[JobRef]:
        """The owner's running jobs.

        More than it knows of when the answer to a claim was lost: nobody would ever run those, for its heart beats on.
        """

    async def expired_jobs(self, limit: int) -> list[JobRecord]:
        """Jobs that wait and whose ``expires_at`` has passed, oldest first: to be ended by ``finish_jobs``."""

    async def get_job(self, tenant_id: TenantId, job_id: JobId) -> JobDetail | None:
        """Everything about a job; absent when the tenant has no such job."""

    async def list_jobs(
        self, tenant_id: TenantId, job_filter: JobFilter, before: JobId | None, limit: int
    ) -> list[JobRecord]:
        """Newest first, beginning after ``before``: a page of at most ``limit``."""
