"""Taking back what belongs to dead instances."""

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from ringback_backends.sql.columns import now, now_minus
from ringback_backends.sql.deliveries import SENDING
from ringback_backends.sql.jobs import RECORDS, RUNS, give_back
from ringback_backends.sql.rows import job_record
from ringback_backends.sql.tables import deliveries, delivery_attempts, instances, jobs
from ringback_schemas.deliveries import Verdict
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.instances import Rescue
from ringback_schemas.jobs import AttemptOutcome, JobRecord, JobRef
from ringback_schemas.states import DeliveryState

LOST_REASON = "The notifier that was sending it died or fell silent; whether the receiver got it is unknown."


def take_back(connection: Connection, silent_s: float, poison_after: int, limit: int) -> Rescue:
    """See ``InstanceStore.rescue``."""
    lost = _lost_jobs(connection, silent_s, limit)
    rescued = [job for job in lost if job.losses + 1 < poison_after]
    give_back(connection, [job.id for job in rescued], AttemptOutcome.LOST)
    due = _take_deliveries(connection, silent_s, limit)
    return Rescue(
        instances=_forget(connection, silent_s),
        jobs=tuple(JobRef(job.id, job.attempt, job.queue) for job in rescued),
        deliveries=due,
        poisonous=tuple(job for job in lost if job.losses + 1 >= poison_after),
    )


def _is_dead(owner: ColumnElement[str], silent_s: float) -> ColumnElement[bool]:
    alive = select(instances.c.id).where(instances.c.id == owner, instances.c.heartbeat_at > now_minus(silent_s))
    return ~exists(alive.correlate(owner.table))


def _lost_jobs(connection: Connection, silent_s: float, limit: int) -> list[JobRecord]:
    """Running jobs of dead instances, locked; those that somebody else holds are left to the next rescue."""
    query = (
        RECORDS.where(RUNS, _is_dead(jobs.c.owner, silent_s))
        .order_by(jobs.c.id)
        .limit(limit)
        .with_for_update(of=jobs, skip_locked=True)
    )
    return [job_record(row) for row in connection.execute(query)]


def _take_deliveries(connection: Connection, silent_s: float, limit: int) -> tuple[DeliveryId, ...]:
    """Make deliveries of dead instances due at once.

    The lost attempt counts as a try, for the receiver may well have got it: a delivery that kills every notifier would
    otherwise be tried for ever without pause.
    """
    query = (
        select(deliveries.c.id, deliveries.c.attempt, deliveries.c.claimed_at, now())
        .where(SENDING, _is_dead(deliveries.c.owner, silent_s))
        .order_by(deliveries.c.id)
        .limit(limit)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    lost = connection.execute(query).all()
    if not lost:
        return ()
    attempts = [
        {
            "delivery_id": delivery_id,
            "attempt": attempt,
            "started_at": claimed_at,
            "total_s": max(0.0, (moment - claimed_at).total_seconds()),
            "verdict": Verdict.NOTIFIER_LOST.value,
            "reason": LOST_REASON,
            "response_prefix": b"",
            "next_attempt_at": moment,
        }
        for delivery_id, attempt, claimed_at, moment in lost
    ]
    ids = tuple(delivery_id for delivery_id, *_ in lost)
    connection.execute(insert(delivery_attempts), attempts)
    due = {"state": DeliveryState.RETRYING.value, "owner": None, "next_attempt_at": now()}
    connection.execute(
        update(deliveries).where(deliveries.c.id.in_(ids)).values(due | {"tries": deliveries.c.tries + 1})
    )
    return ids


def _forget(connection: Connection, silent_s: float) -> tuple[InstanceId, ...]:
    """Forget silent instances that own nothing any more."""
    idle = delete(instances).where(
        instances.c.heartbeat_at <= now_minus(silent_s),
        ~exists(select(jobs.c.id).where(jobs.c.owner == instances.c.id, RUNS)),
        ~exists(select(deliveries.c.id).where(deliveries.c.owner == instances.c.id, SENDING)),
    )
    return tuple(connection.execute(idle.returning(instances.c.id)).scalars())
