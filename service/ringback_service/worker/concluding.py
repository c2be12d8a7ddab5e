"""From what came of an attempt to what the store records: a pure function, so every case can be tested alone."""

from datetime import datetime

from ringback.task import Task
from ringback_backends.endings import end_job
from ringback_schemas.jobs import JobOutcome, JobRecord
from ringback_schemas.states import JobState
from ringback_service.worker.performed import Performed, Raised, Returned, timed_out
from ringback_service.worker.retrying import asked_s, backoff_s
from ringback_service.worker.running import Stop


def conclude(
    job: JobRecord,
    task: Task,
    performed: Performed,
    stop: Stop | None,
    *,
    now: datetime,
    randomness: float,
    public_url: str,
) -> JobOutcome:
    """The outcome of an attempt.

    A task that was told to stop is taken to have stopped, whatever it returned or raised after that: a partial result
    must not pass for a whole one. ``randomness`` is drawn from [0, 1).
    """
    if stop is Stop.CANCEL:
        return end_job(job, JobState.CANCELLED, now=now, public_url=public_url)
    if stop is Stop.TIMEOUT:
        performed = timed_out(job.timeout_s)
    match performed:
        case Returned(result):
            return end_job(job, JobState.SUCCEEDED, result=result, now=now, public_url=public_url)
        case Raised(error, may_retry) if not may_retry or job.charged_attempts >= job.max_attempts:
            return end_job(job, JobState.FAILED, error=error.to_bytes(), now=now, public_url=public_url)
        case Raised():
            return _retry(job, task, performed, randomness)


def _retry(job: JobRecord, task: Task, raised: Raised, randomness: float) -> JobOutcome:
    if raised.retry_in_s is None:
        seconds = backoff_s(job.charged_attempts, randomness, task.backoff_s, task.backoff_cap_s)
    else:
        seconds = asked_s(raised.retry_in_s)
    return JobOutcome(
        job.id, job.attempt, job.owner, JobState.RETRYING, error=raised.error.to_bytes(), retry_in_s=seconds
    )
