"""Deleting jobs, events and deliveries with all that belongs to them. Nothing here asks whether they may go."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, delete, insert, or_, select

from ringback_backends.sql.columns import now
from ringback_backends.sql.rows import from_json
from ringback_backends.sql.tables import (
    deliveries,
    delivery_attempts,
    delivery_targets,
    events,
    job_attempts,
    job_progress,
    job_requests,
    job_results,
    job_tags,
    jobs,
    purged_jobs,
)

TARGETS: Select[Any] = select(
    delivery_targets.c.tenant_id,
    delivery_targets.c.delivery_id,
    delivery_targets.c.event_id,
    delivery_targets.c.job_id,
)
"""Which deliveries there are: what is needed to delete them."""


def erase_jobs(connection: Connection, ended: Sequence[Row[Any]], targets: Sequence[Row[Any]]) -> None:
    """Delete jobs that are done, and keep that they were.

    Args:
        connection: In a transaction that holds the jobs.
        ended: Their rows.
        targets: Of all their deliveries.
    """
    ids = [job.id for job in ended]
    results = select(job_results.c.event_id).where(job_results.c.job_id.in_(ids), job_results.c.event_id.is_not(None))
    told = {row.event_id for row in targets} | set(connection.execute(results).scalars())
    erase_deliveries(connection, targets)
    erase_events(connection, sorted(told))
    _erase_tags(connection, ended)
    for table in (job_results, job_progress, job_attempts):
        _erase_of_jobs(connection, table, ids)
    for tenant_id in {job.tenant_id for job in ended}:
        mine = [job.id for job in ended if job.tenant_id == tenant_id]
        request = and_(job_requests.c.tenant_id == tenant_id, job_requests.c.job_id.in_(mine))
        connection.execute(delete(job_requests).where(request))
    connection.execute(delete(jobs).where(jobs.c.id.in_(ids)))
    connection.execute(insert(purged_jobs).values(purged_at=now()), [_tombstone(job) for job in ended])


def erase_deliveries(connection: Connection, targets: Sequence[Row[Any]]) -> None:
    """Delete deliveries with their attempts."""
    ids = [row.delivery_id for row in targets]
    if not ids:
        return
    connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(ids)))
    for tenant_id in {row.tenant_id for row in targets}:
        mine = [row.delivery_id for row in targets if row.tenant_id == tenant_id]
        target = and_(delivery_targets.c.tenant_id == tenant_id, delivery_targets.c.delivery_id.in_(mine))
        connection.execute(delete(delivery_targets).where(target))
    connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))


def erase_events(connection: Connection, event_ids: Sequence[str]) -> None:
    """Delete events; their deliveries are the caller's."""
    if event_ids:
        connection.execute(delete(events).where(events.c.id.in_(event_ids)))


def _erase_of_jobs(connection: Connection, table: Table, job_ids: Sequence[str]) -> None:
    connection.execute(delete(table).where(table.c.job_id.in_(job_ids)))


def _erase_tags(connection: Connection, ended: Sequence[Row[Any]]) -> None:
    """By their whole key, which begins with tenant and tag: there is no index by job."""
    requests = select(job_requests.c.tenant_id, job_requests.c.job_id, job_requests.c.tags)
    for tenant_id in {job.tenant_id for job in ended}:
        mine = [job.id for job in ended if job.tenant_id == tenant_id]
        tagged = requests.where(
            job_requests.c.tenant_id == tenant_id, job_requests.c.job_id.in_(mine), job_requests.c.tags != "[]"
        )
        keys = [
            and_(job_tags.c.tenant_id == tenant_id, job_tags.c.tag == tag, job_tags.c.job_id == row.job_id)
            for row in connection.execute(tagged)
            for tag in from_json(row.tags)
        ]
        for start in range(0, len(keys), _TAGS_AT_ONCE):
            connection.execute(delete(job_tags).where(or_(*keys[start : start + _TAGS_AT_ONCE])))


_TAGS_AT_ONCE = 100
"""Conditions in one statement: databases bound how deep these may be."""


def _tombstone(job: Row[Any]) -> dict[str, Any]:
    return {
        "tenant_id": job.tenant_id,
        "job_id": job.id,
        "type": job.type,
        "state": job.state,
        "finished_at": job.finished_at,
    }
