"""Recording how attempts ended: state, result, event and deliveries in one transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ringback_backends.contracts.jobs import Recorded
from ringback_backends.sql.sqlite.batches import Insert, listed, rows_of
from ringback_backends.sql.sqlite.connecting import now_us
from ringback_backends.sql.sqlite.engine import SqliteDatabase
from ringback_backends.sql.sqlite.fanning import fan_out
from ringback_schemas.deliveries import NewDelivery, WaitReason
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import DeliveryId, JobId
from ringback_schemas.jobs import AttemptOutcome, JobOutcome
from ringback_schemas.states import JOB_TRANSITIONS, JobState

FIFO = WaitReason.FIFO.value

INSERT_RESULTS = Insert("job_results", "job_id", "result", "error", "event_id")
INSERT_ATTEMPTS = Insert(
    "job_attempts", "job_id", "attempt", "outcome", "started_at", "ended_at", "error", "instance_id"
)
INSERT_EVENTS = Insert("events", "id", "tenant_id", "job_id", "type", "body", "created_at", "job_created_at")
INSERT_DELIVERIES = Insert(
    "deliveries",
    *("id", "tenant_id", "destination", "state", "attempt", "tries", "next_attempt_at", "endpoint_id"),
    "waits_for",
)
INSERT_TARGETS = Insert(
    "delivery_targets",
    *("tenant_id", "delivery_id", "event_id", "event_type", "job_id", "kind", "endpoint_id", "url", "created_at"),
)

# ?1 ids
CURRENT = """
SELECT json_group_array(json_array(j.id, j.state, j.attempt, j.owner, j.created_at, j.started_at))
FROM json_each(?1) AS i CROSS JOIN jobs AS j ON j.id = i.value
"""

# ?1 ids, ?2 state, ?3 now
END = """
UPDATE jobs SET state = ?2, owner = NULL, finished_at = ?3 WHERE id IN (SELECT value FROM json_each(?1))
"""

# ?1 id, ?2 run_at, ?3 now
RETRY = """
UPDATE jobs SET state = 'retrying', owner = NULL, run_at = CASE WHEN is_cancel_requested THEN ?3 ELSE ?2 END
WHERE id = ?1
"""


@dataclass(frozen=True, slots=True)
class _Current:
    """What the fence looks at, and what is copied on."""

    state: JobState
    attempt: int
    owner: str | None
    created_at: int
    started_at: int | None

    def admits(self, outcome: JobOutcome) -> bool:
        """Whether the outcome may be recorded."""
        is_same = outcome.attempt == self.attempt and outcome.owner == self.owner
        return is_same and outcome.state in JOB_TRANSITIONS[self.state]


class SqliteFinish:
    """Records outcomes of jobs."""

    _sqlite: SqliteDatabase

    async def finish_jobs(self, outcomes: Sequence[JobOutcome]) -> list[Recorded]:
        """See ``JobStore.finish_jobs``."""
        return await self._sqlite.write_bare("finish_jobs", lambda connection: _finish(connection, outcomes))


def _finish(connection: sqlite3.Connection, outcomes: Sequence[JobOutcome]) -> list[Recorded]:
    moment = now_us()
    current = _current(connection, outcomes)
    recorded: dict[str, tuple[JobOutcome, _Current]] = {}
    answers: list[Recorded] = []
    for outcome in outcomes:
        job = current.get(outcome.job_id)
        is_recorded = outcome.job_id not in recorded and job is not None and job.admits(outcome)
        if is_recorded and job is not None:
            recorded[outcome.job_id] = outcome, job
        answers.append(outcome.delivery_ids if is_recorded else None)
    _end(connection, [outcome for outcome, _ in recorded.values()], moment)
    _retry(connection, list(recorded.values()), moment)
    fanned = _happen(connection, list(recorded.values()), moment)
    if not fanned:
        return answers
    return [
        None if ids is None else (*ids, *fanned.get(outcome.job_id, ()))
        for outcome, ids in zip(outcomes, answers, strict=True)
    ]


def _current(connection: sqlite3.Connection, outcomes: Sequence[JobOutcome]) -> dict[str, _Current]:
    ids = {outcome.job_id: None for outcome in outcomes}
    rows = rows_of(connection, CURRENT, listed(list(ids)))
    return {job_id: _Current(JobState(state), *rest) for job_id, state, *rest in rows}


def _end(connection: sqlite3.Connection, outcomes: Sequence[JobOutcome], moment: int) -> None:
    ended: dict[JobState, list[str]] = {}
    results = []
    for outcome in outcomes:
        if outcome.state is JobState.RETRYING:
            continue
        ended.setdefault(outcome.state, []).append(outcome.job_id)
        if outcome.result is not None or outcome.error is not None:
            event_id = None if outcome.event is None else outcome.event.id
            results.append((outcome.job_id, outcome.result, outcome.error, event_id))
    for state, ids in ended.items():
        connection.execute(END, (listed(ids), state.value, moment))
    INSERT_RESULTS.run(connection, results)


def _retry(connection: sqlite3.Connection, recorded: Sequence[tuple[JobOutcome, _Current]], moment: int) -> None:
    retried = [(outcome, job) for outcome, job in recorded if outcome.state is JobState.RETRYING]
    again = [(outcome.job_id, moment + round(outcome.retry_in_s * 1_000_000), moment) for outcome, _ in retried]
    connection.executemany(RETRY, again)
    attempts = [
        (
            *(outcome.job_id, outcome.attempt, AttemptOutcome.RETRY.value, job.started_at, moment),
            *(outcome.error, outcome.owner),
        )
        for outcome, job in retried
    ]
    INSERT_ATTEMPTS.run(connection, attempts)


def _happen(
    connection: sqlite3.Connection, recorded: Sequence[tuple[JobOutcome, _Current]], moment: int
) -> dict[JobId | None, list[DeliveryId]]:
    """Store the events with their deliveries; the deliveries to endpoints, by job."""
    happened = [(outcome.event, job.created_at) for outcome, job in recorded if outcome.event is not None]
    events = [
        (event.id, event.tenant_id, event.job_id, event.type, event.body, moment, created_at)
        for event, created_at in happened
    ]
    INSERT_EVENTS.run(connection, events)
    told = [event for event, _ in happened]
    fanned = fan_out(connection, told)
    _deliver(connection, [(event, new, False) for event in told for new in event.deliveries] + fanned, moment)
    by_job: dict[JobId | None, list[DeliveryId]] = {}
    for event, new, _ in fanned:
        by_job.setdefault(event.job_id, []).append(new.id)
    return by_job


def _deliver(connection: sqlite3.Connection, born: Sequence[tuple[NewEvent, NewDelivery, bool]], moment: int) -> None:
    # in line they stand by their times, so these differ
    pending = [
        (
            *(new.id, event.tenant_id, new.destination, "pending", 0, 0),
            *((moment + place, new.endpoint_id, FIFO) if is_fifo else (moment, new.endpoint_id, None)),
        )
        for place, (event, new, is_fifo) in enumerate(born)
    ]
    targets = [
        (
            *(event.tenant_id, new.id, event.id, event.type, event.job_id, new.kind.value, new.endpoint_id, new.url),
            moment,
        )
        for event, new, _ in born
    ]
    INSERT_DELIVERIES.run(connection, pending)
    INSERT_TARGETS.run(connection, targets)
