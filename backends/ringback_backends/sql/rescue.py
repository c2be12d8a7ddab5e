"""Taking back what belongs to dead instances."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, exists, insert, select, update

from ringback_backends.sql.columns import now, now_minus
from ringback_backends.sql.deliveries import SENDING
from ringback_backends.sql.jobs import RECORDS, RUNS, give_back
from ringback_backends.sql.operational import tell_of_exhausted
from ringback_backends.sql.parking import PARKED
from ringback_backends.sql.rows import job_record
from ringback_backends.sql.tables import deliveries, delivery_attempts, instances, jobs
from ringback_schemas.deliveries import Verdict
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.instances import Rescue
from ringback_schemas.jobs import AttemptOutcome, JobRecord, JobRef
from ringback_schemas.states import DeliveryState

LOST_REASON = "The notifier that was sending it died or fell silent; whether the receiver got it is unknown."
POISON_REASON = "{losses} notifiers died while they sent it, so it is not tried again; one may have got through."


def take_back(connection: Connection, silent_s: float, poison_after: int, limit: int) -> Rescue:
    """See ``InstanceStore.rescue``."""
    lost = _lost_jobs(connection, silent_s, limit)
    rescued = [job for job in lost if job.losses + 1 < poison_after]
    give_back(connection, [job.id for job in rescued], AttemptOutcome.LOST)
    due, exhausted = _take_deliveries(connection, silent_s, poison_after, limit)
    told = tell_of_exhausted(connection, exhausted)
    return Rescue(
        instances=_forget(connection, silent_s),
        jobs=tuple(JobRef(job.id, job.attempt, job.queue) for job in rescued),
        deliveries=(*due, *told),
        exhausted=exhausted,
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


def _take_deliveries(
    connection: Connection, silent_s: float, poison_after: int, limit: int
) -> tuple[tuple[DeliveryId, ...], tuple[DeliveryId, ...]]:
    """Make deliveries of dead instances due at once, and end those that killed too many; which they are.

    The lost attempt counts as a try, for the receiver may well have got it.
    """
    query: Select[Any] = (
        select(
            *(deliveries.c.id, deliveries.c.attempt, deliveries.c.tries, deliveries.c.claimed_at),
            now().label("moment"),
        )
        .where(SENDING, _is_dead(deliveries.c.owner, silent_s))
        .order_by(deliveries.c.id)
        .limit(limit)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    lost = connection.execute(query).all()
    if not lost:
        return (), ()
    losses = _losses(connection, lost)
    poisonous = tuple(row.id for row in lost if losses[row.id] >= poison_after)
    due = tuple(row.id for row in lost if row.id not in poisonous)
    connection.execute(insert(delivery_attempts), [_attempt(row, losses[row.id], poison_after) for row in lost])
    again = {"state": DeliveryState.RETRYING.value, "next_attempt_at": now()}
    _change(connection, due, again)
    _change(connection, poisonous, {**PARKED, "state": DeliveryState.EXHAUSTED.value, "finished_at": now()})
    return due, poisonous


def _losses(connection: Connection, lost: Sequence[Row[Any]]) -> dict[DeliveryId, int]:
    """How many notifiers each has cost with this one, as far back as its tries go: since its schedule began."""
    verdicts: dict[DeliveryId, list[str]] = {row.id: [] for row in lost}
    past = select(delivery_attempts.c.delivery_id, delivery_attempts.c.verdict)
    past = past.where(delivery_attempts.c.delivery_id.in_(list(verdicts)))
    for delivery_id, verdict in connection.execute(past.order_by(delivery_attempts.c.attempt.desc())):
        verdicts[delivery_id].append(verdict)
    return {row.id: 1 + verdicts[row.id][: row.tries].count(Verdict.NOTIFIER_LOST.value) for row in lost}


def _attempt(row: Row[Any], losses: int, poison_after: int) -> dict[str, Any]:
    is_poison = losses >= poison_after
    return {
        "delivery_id": row.id,
        "attempt": row.attempt,
        "started_at": row.claimed_at,
        "total_s": max(0.0, (row.moment - row.claimed_at).total_seconds()),
        "verdict": (Verdict.POISON if is_poison else Verdict.NOTIFIER_LOST).value,
        "reason": POISON_REASON.format(losses=losses) if is_poison else LOST_REASON,
        "response_prefix": b"",
        "next_attempt_at": None if is_poison else row.moment,
    }


def _change(connection: Connection, ids: Sequence[DeliveryId], values: dict[str, Any]) -> None:
    if ids:
        tried = {"owner": None, "tries": deliveries.c.tries + 1}
        connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(values | tried))


def _forget(connection: Connection, silent_s: float) -> tuple[InstanceId, ...]:
    """Forget silent instances that own nothing any more."""
    idle = delete(instances).where(
        instances.c.heartbeat_at <= now_minus(silent_s),
        ~exists(select(jobs.c.id).where(jobs.c.owner == instances.c.id, RUNS)),
        ~exists(select(deliveries.c.id).where(deliveries.c.owner == instances.c.id, SENDING)),
    )
    return tuple(connection.execute(idle.returning(instances.c.id)).scalars())
