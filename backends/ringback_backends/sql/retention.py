"""Forgetting what is over: the same queries for both databases."""

from sqlalchemy import Connection, and_, select

from ringback_backends.sql.database import Database
from ringback_backends.sql.erasing import TARGETS, erase_jobs
from ringback_backends.sql.sweeping import take_step
from ringback_backends.sql.tables import deliveries, delivery_targets, jobs, purged_jobs
from ringback_schemas.ids import JobId, TenantId
from ringback_schemas.retention import Chore, Purge, PurgedJob, Retention, Swept
from ringback_schemas.states import JOB_DONE, JobState

_DONE = {state.value for state in JOB_DONE}


class RetentionQueries:
    """Everything about what is no longer kept."""

    _database: Database

    async def purge_job(self, tenant_id: TenantId, job_id: JobId) -> Purge:
        """See ``RetentionStore.purge_job``."""
        return await self._database.write("purge_job", lambda connection: _purge(connection, tenant_id, job_id))

    async def find_purged(self, tenant_id: TenantId, job_id: JobId) -> PurgedJob | None:
        """See ``RetentionStore.find_purged``."""
        query = select(purged_jobs).where(purged_jobs.c.tenant_id == tenant_id, purged_jobs.c.job_id == job_id)
        row = await self._database.read("find_purged", lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return None
        return PurgedJob(row.job_id, row.tenant_id, row.type, JobState(row.state), row.finished_at, row.purged_at)

    async def sweep(self, chore: Chore, retention: Retention, place: str, limit: int) -> Swept:
        """See ``RetentionStore.sweep``."""
        return await self._database.write(
            "sweep", lambda connection: take_step(connection, chore, retention, place, limit)
        )


def _purge(connection: Connection, tenant_id: TenantId, job_id: JobId) -> Purge:
    mine = and_(jobs.c.id == job_id, jobs.c.tenant_id == tenant_id)
    job = connection.execute(select(jobs).where(mine).with_for_update()).one_or_none()
    if job is None:
        return Purge.UNKNOWN
    if job.state not in _DONE:
        return Purge.NOT_DONE
    targets = list(connection.execute(TARGETS.where(delivery_targets.c.job_id == job_id)))
    # in id order, as everything locks them; waits for a claim or a record that has them for a moment
    held = select(deliveries.c.id).where(deliveries.c.id.in_([row.delivery_id for row in targets]))
    connection.execute(held.order_by(deliveries.c.id).with_for_update()).close()
    erase_jobs(connection, [job], targets)
    return Purge.PURGED
