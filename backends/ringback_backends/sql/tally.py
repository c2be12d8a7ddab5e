"""Counting what waits, at a bounded cost: every count stops at a cap, and walks only over what it counts."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, and_, func, literal, select, tuple_

from ringback_backends.sql.columns import now
from ringback_backends.sql.jobs import RUNS, WAITS
from ringback_backends.sql.tables import deliveries, jobs
from ringback_schemas.tallies import COUNT_CAP, QueueTally, Tallies

Lane = tuple[str, str, int]
"""Queue, type and priority: a range of the index ``jobs_waiting``."""

DUE = and_(
    deliveries.c.state.in_([literal(state, literal_execute=True) for state in ("pending", "retrying")]),
    deliveries.c.waits_for.is_(None),
)
SET_ASIDE = deliveries.c.waits_for.is_not(None)


def tally(connection: Connection) -> Tallies:
    """See ``InstanceStore.tally``."""
    moment: datetime = connection.execute(select(now())).scalar_one()
    ready: dict[str, tuple[int, float]] = {}
    for lane in _lanes(connection):
        count, oldest = _due_in(connection, lane)
        before, age = ready.get(lane[0], (0, 0.0))
        ready[lane[0]] = min(COUNT_CAP, before + count), max(age, _age(moment, oldest))
    running = _running(connection)
    due, oldest = _due_deliveries(connection)
    queues = tuple(_queue_tally(queue, ready.get(queue, (0, 0.0)), running) for queue in sorted({*ready, *running}))
    return Tallies(queues, due, _age(moment, oldest))


def _queue_tally(queue: str, ready: tuple[int, float], running: dict[str, int]) -> QueueTally:
    count, age = ready
    return QueueTally(queue, ready=count, running=running.get(queue, 0), oldest_ready_age_s=age)


def _age(moment: datetime, oldest: datetime | None) -> float:
    return 0.0 if oldest is None else max(0.0, (moment - oldest).total_seconds())


def _lanes(connection: Connection) -> Iterator[Lane]:
    """The lanes with something in them, due or not: one index probe for each."""
    first = select(jobs.c.queue, jobs.c.type, jobs.c.priority).where(WAITS)
    order = (jobs.c.queue, jobs.c.type, jobs.c.priority.desc())
    row = connection.execute(first.order_by(*order).limit(1)).one_or_none()
    while row is not None:
        queue, task_type, priority = row
        yield queue, task_type, priority
        lower = first.where(jobs.c.queue == queue, jobs.c.type == task_type, jobs.c.priority < priority)
        row = connection.execute(lower.order_by(jobs.c.priority.desc()).limit(1)).one_or_none()
        if row is None:
            further = first.where(tuple_(jobs.c.queue, jobs.c.type) > tuple_(literal(queue), literal(task_type)))
            row = connection.execute(further.order_by(*order).limit(1)).one_or_none()


def _due_in(connection: Connection, lane: Lane) -> tuple[int, datetime | None]:
    queue, task_type, priority = lane
    place = and_(jobs.c.queue == queue, jobs.c.type == task_type, jobs.c.priority == priority)
    query = select(jobs.c.run_at).where(WAITS, place, jobs.c.run_at <= now()).order_by(jobs.c.run_at)
    capped = query.limit(COUNT_CAP).subquery()
    count, oldest = connection.execute(select(func.count(), func.min(capped.c.run_at))).one()
    return count, oldest


def _running(connection: Connection) -> dict[str, int]:
    capped = select(jobs.c.queue).where(RUNS).limit(COUNT_CAP).subquery()
    rows = connection.execute(select(capped.c.queue, func.count()).group_by(capped.c.queue))
    return {row[0]: row[1] for row in rows}


def _due_deliveries(connection: Connection) -> tuple[int, datetime | None]:
    query = select(deliveries.c.next_attempt_at).where(DUE, deliveries.c.next_attempt_at <= now())
    due = query.order_by(deliveries.c.next_attempt_at).limit(COUNT_CAP).subquery()
    # in no order, which is in that of the index: beyond the cap the age is that of the oldest that was counted
    aside = select(deliveries.c.next_attempt_at).where(SET_ASIDE).limit(COUNT_CAP).subquery()
    both = [connection.execute(select(func.count(), func.min(some.c.next_attempt_at))).one() for some in (due, aside)]
    return min(COUNT_CAP, sum(count for count, _ in both)), min((at for _, at in both if at is not None), default=None)
