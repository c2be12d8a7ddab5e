"""A job while it runs here: the one value that goes through the executor's steps."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto

from ringback.job import Job
from ringback.task import Task
from ringback_schemas.jobs import ClaimedJob, JobRef

Key = tuple[str, int]
"""Job id and attempt: an abandoned attempt may still be here when the next one comes."""


class Phase(Enum):
    """Where an attempt is on its way through the executor."""

    BEGUN = auto()
    PERFORMING = auto()
    """User code may be running: only then may its asyncio task be cancelled."""
    PERFORMED = auto()


class Stop(Enum):
    """Why a running task shall end before it wants to. The first reason given stays."""

    TIMEOUT = auto()
    CANCEL = auto()
    RELEASE = auto()
    """The worker stops; the job is given back."""


@dataclass(slots=True, eq=False)
class Running:
    """One attempt in hand. Only the loop changes it."""

    claimed: ClaimedJob
    task: Task
    job: Job
    started_at: float
    """By the loop's clock, as all times here."""
    deadline: float
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    handle: asyncio.Task[None] | None = None
    """Goes through the steps."""
    saver: asyncio.Task[None] | None = None
    """Records the outcome of an abandoned attempt in its stead."""
    stop: Stop | None = None
    stop_at: float = 0.0
    phase: Phase = Phase.BEGUN
    is_abandoned: bool = False
    """User code would not end; its outcome is recorded without it, and whatever it returns is dropped."""

    @property
    def key(self) -> Key:
        """What tells attempts apart."""
        return self.claimed.job.id, self.claimed.job.attempt

    @property
    def ref(self) -> JobRef:
        """The attempt as the store knows it."""
        job = self.claimed.job
        return JobRef(job.id, job.attempt, job.queue)

    def interrupt(self, reason: Stop, now: float) -> None:
        """Ask user code to end: cancel it, kill its process, or flag it to its thread. Only the first reason counts."""
        if self.stop is not None or self.phase is Phase.PERFORMED:
            return
        self.stop, self.stop_at = reason, now
        self.job.cancel()
        if self.phase is Phase.PERFORMING and self.task.runs_in != "thread" and self.handle is not None:
            self.handle.cancel()
