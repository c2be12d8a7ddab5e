"""The part of the store's contract by which it forgets. The rules of ``contracts.jobs`` hold here too.

What is purged with a job: its payload, result, error, progress, tags and attempts; its events; their deliveries with
attempts and answers. What is left is a ``PurgedJob``, and its idempotency key for as long as keys are kept.
"""

from typing import Protocol

from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.retention import Chore, Purge, PurgedJob, Retention, Swept


class RetentionStore(Protocol):
    """Forgets what is over."""

    async def purge_job(self, tenant_id: TenantId, job_id: JobId) -> Purge:
        """Purge a job that is done, now, with webhooks of it that were not sent yet. Any other is left as it is."""

    async def find_purged(self, tenant_id: TenantId, job_id: JobId) -> PurgedJob | None:
        """What is left of a job; absent when it was not purged, or too long ago."""

    async def sweep(self, chore: Chore, retention: Retention, place: str, limit: int) -> Swept:
        """Take one step of a chore: look at a bounded number of rows behind ``place``, and purge at most ``limit``.

        A job goes when it is done and all its deliveries have ended, the last of this longer ago than ``keep_s``. A
        delivery that waits, or is being sent, keeps its job, however old; one that is parked for a disabled endpoint
        does not, or a receiver that is gone for good would keep everything. So it is with events of no job.

        A replay goes ``replays_s`` after it was done or cancelled, and not before; an entry of the audit log
        ``audit_s`` after it was written.

        Any process may call it at any time: while one takes a step, the others' do nothing.
        """
