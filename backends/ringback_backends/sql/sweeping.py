"""The chores of retention, one bounded step at a time: see ``contracts.retention``. Those without a walk: ``expiring``.

Jobs and events are found by walking their primary keys, which go by age: an index of when they ended would cost every
job that ends. A walk comes upon what may not go yet again and again; that is little, for the rest is gone.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select

from ringback_backends.sql.columns import now
from ringback_backends.sql.erasing import TARGETS, erase_deliveries, erase_events, erase_jobs
from ringback_backends.sql.expiring import EXPIRIES, expire
from ringback_backends.sql.tables import NO_JOB, deliveries, delivery_targets, events, jobs
from ringback_schemas.ids import earliest_id
from ringback_schemas.retention import Chore, Retention, Swept
from ringback_schemas.states import DELIVERY_DONE, DELIVERY_READY, JOB_DONE

WINDOW = 500
"""Rows that one step of a walk looks at."""

MOST_DELIVERIES = 2_000
"""That one step deletes: more than the 501 that a job can have, so that each step gets on."""

# any number of our own: advisory locks are told apart by it
_LOCK = 0x72_65_74_61_69_6E

_DONE = {state.value for state in DELIVERY_DONE}
_READY = {state.value for state in DELIVERY_READY}
_JOB_DONE = {state.value for state in JOB_DONE}

_NOTHING = Swept(0, "", is_more=False)

Walk = Callable[[Connection, Retention, str, int], Swept]


def take_step(connection: Connection, chore: Chore, retention: Retention, place: str, limit: int) -> Swept:
    """One step, unless another process is at one."""
    if connection.dialect.name == "postgresql":
        # SQLite has one writer anyway
        is_mine = select(func.pg_try_advisory_xact_lock(literal(_LOCK)))
        if not connection.execute(is_mine).scalar_one():
            return Swept(0, place, is_more=False)
    if chore in EXPIRIES:
        return expire(connection, EXPIRIES[chore], retention, limit)
    return _WALKS[chore](connection, retention, place, limit)


def _sweep_jobs(connection: Connection, retention: Retention, place: str, limit: int) -> Swept:
    if retention.keep_s == 0:
        return _NOTHING
    before = _before(connection, retention.keep_s)
    youngest = earliest_id("job", max(0, int(before.timestamp() * 1_000)))
    walk: Select[Any] = select(jobs.c.id, jobs.c.tenant_id, jobs.c.type, jobs.c.state, jobs.c.finished_at)
    walk = walk.where(jobs.c.id > place, jobs.c.id < youngest).order_by(jobs.c.id).limit(WINDOW)
    looked = connection.execute(walk).all()
    over = [job for job in looked if job.state in _JOB_DONE and job.finished_at <= before]
    taken = over[:limit]
    targets, cut = _targets(connection, delivery_targets.c.job_id, [job.id for job in taken], "job_id")
    if cut is not None:
        taken = [job for job in taken if job.id < cut]
    mine, busy = _locked(connection, taken), _busy(connection, targets, before, "job_id")
    gone = [job for job in taken if job.id in mine and job.id not in busy]
    if gone:
        ids = {job.id for job in gone}
        erase_jobs(connection, gone, [row for row in targets if row.job_id in ids])
    if len(taken) < len(over):
        return Swept(len(gone), taken[-1].id, is_more=True)
    is_more = len(looked) == WINDOW
    return Swept(len(gone), looked[-1].id if is_more else "", is_more=is_more)


def _sweep_events(connection: Connection, retention: Retention, place: str, limit: int) -> Swept:
    if retention.keep_s == 0:
        return _NOTHING
    before = _before(connection, retention.keep_s)
    walk: Select[Any] = select(events.c.seq, events.c.id, events.c.job_id, events.c.created_at)
    walk = walk.where(events.c.seq > int(place or 0)).order_by(events.c.seq).limit(WINDOW)
    seen = connection.execute(walk).all()
    looked = [event for event in seen if event.created_at <= before]
    alone = _without_job(connection, looked)[:limit]
    targets, cut = _targets(
        connection, delivery_targets.c.event_id, sorted(event.id for event in alone), "event_id", of_no_job=True
    )
    busy = _busy(connection, targets, before, "event_id")
    if cut is not None:
        busy |= {event.id for event in alone if event.id >= cut}
    erase_deliveries(connection, [row for row in targets if row.event_id not in busy])
    gone = [event.id for event in alone if event.id not in busy]
    erase_events(connection, gone)
    if len(alone) == limit:
        return Swept(len(gone), str(alone[-1].seq), is_more=True)
    is_more = len(looked) == WINDOW
    return Swept(len(gone), str(looked[-1].seq) if is_more else "", is_more=is_more)


_WALKS: dict[Chore, Walk] = {Chore.JOBS: _sweep_jobs, Chore.EVENTS: _sweep_events}


def _before(connection: Connection, keep_s: float) -> datetime:
    moment: datetime = connection.execute(select(now())).scalar_one()
    return moment - timedelta(seconds=keep_s)


def _locked(connection: Connection, taken: Sequence[Row[Any]]) -> set[str]:
    """Those of the jobs that nobody else is just purging."""
    named = select(jobs.c.id).where(jobs.c.id.in_([job.id for job in taken]))
    locked = named.order_by(jobs.c.id).with_for_update(skip_locked=True)
    return set(connection.execute(locked).scalars()) if taken else set()


def _without_job(connection: Connection, looked: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Events of no job, and of a job that is no more: purged without one that it did not know of."""
    named = {event.job_id for event in looked} - {NO_JOB}
    there = set(connection.execute(select(jobs.c.id).where(jobs.c.id.in_(named))).scalars()) if named else set()
    return [event for event in looked if event.job_id not in there]


def _targets(
    connection: Connection, column: ColumnElement[str], keys: Sequence[str], name: str, *, of_no_job: bool = False
) -> tuple[list[Row[Any]], str | None]:
    """The deliveries of these, and the first of them that has to wait for another step, if any; ``keys`` are sorted."""
    if not keys:
        return [], None
    query = TARGETS.where(column.in_(keys)).order_by(column).limit(MOST_DELIVERIES)
    if of_no_job:
        query = query.where(delivery_targets.c.job_id == literal(NO_JOB, literal_execute=True))
    rows = list(connection.execute(query))
    if len(rows) < MOST_DELIVERIES:
        return rows, None
    cut: str = getattr(rows[-1], name)
    return [row for row in rows if getattr(row, name) < cut], cut


def _busy(connection: Connection, targets: Sequence[Row[Any]], before: datetime, name: str) -> set[str]:
    """Those with a delivery that has yet to end, ended too short a time ago, or that somebody holds. Locks the rest."""
    query: Select[Any] = select(
        deliveries.c.id, deliveries.c.state, deliveries.c.next_attempt_at, deliveries.c.finished_at
    ).where(deliveries.c.id.in_([row.delivery_id for row in targets]))
    locked = query.order_by(deliveries.c.id).with_for_update(skip_locked=True)
    over = {row.id for row in connection.execute(locked) if _is_over(row, before)} if targets else set()
    grouped = groupby(targets, key=lambda row: getattr(row, name))
    return {key for key, rows in grouped if any(row.delivery_id not in over for row in rows)}


def _is_over(row: Row[Any], before: datetime) -> bool:
    if row.state in _READY:
        return row.next_attempt_at is None  # parked
    return row.state in _DONE and row.finished_at <= before
