"""What a worker counts, and the line it logs per attempt. Telemetry implements the protocol; tests need not care."""

from collections.abc import Sequence
from typing import Protocol

import structlog

from ringback_schemas.job_errors import JobError
from ringback_schemas.jobs import ClaimedJob, JobRecord
from ringback_service.worker.running import Running


class Observer(Protocol):
    """What a worker counts."""

    def on_claimed(self, jobs: Sequence[ClaimedJob], source: str) -> None:
        """These jobs were claimed; ``source`` is ``broker`` or ``poll``."""

    def on_attempt(self, job: JobRecord, outcome: str, duration_s: float) -> None:
        """An attempt is over: a job state, ``released``, ``fenced`` or ``unsaved``; ``job`` as it was claimed."""

    def on_slots(self, running: int, abandoned: int) -> None:
        """So many slots are taken, and so many of these by attempts that would not end."""

    def on_loop_blocked(self, seconds: float) -> None:
        """The event loop did not turn for so long."""

    def on_outcomes_recorded(self, rows: int, seconds: float) -> None:
        """So many outcomes were committed together; that took so long."""


class Silent:
    """Counts nothing."""

    def on_claimed(self, jobs: Sequence[ClaimedJob], source: str) -> None:
        """Nothing."""

    def on_attempt(self, job: JobRecord, outcome: str, duration_s: float) -> None:
        """Nothing."""

    def on_slots(self, running: int, abandoned: int) -> None:
        """Nothing."""

    def on_loop_blocked(self, seconds: float) -> None:
        """Nothing."""

    def on_outcomes_recorded(self, rows: int, seconds: float) -> None:
        """Nothing."""


class AttemptLog:
    """One line per attempt. Never the error's message: it may quote the payload."""

    def __init__(self) -> None:
        # bound once, after logging was configured: to find the logger anew costs as much as the line itself
        self._log = structlog.get_logger(__name__).bind()

    def write(self, running: Running, outcome: str, duration_s: float, error: JobError | None = None) -> None:
        """An attempt is over; ``outcome`` as in ``Observer.on_attempt``."""
        job = running.claimed.job
        self._log.info(
            "job_attempt",
            job_id=job.id,
            tenant_id=job.tenant_id,
            type=job.type,
            queue=job.queue,
            attempt=job.attempt,
            outcome=outcome,
            duration_s=round(duration_s, 6),
            code=error and error.code.value,
            exception=error and error.exception,
        )
