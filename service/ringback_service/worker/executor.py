"""The steps of an attempt, over one value: begin → perform → conclude → save.

User code runs and is caught in *perform* and nowhere else; *conclude* is pure; only *save* writes. Each attempt is one
asyncio task from begin to end, and nothing else is made per job: no timer, no lock.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from ringback.job import Job
from ringback.task import Task
from ringback_backends.contracts.errors import RowRefused
from ringback_schemas.job_errors import JobError, JobErrorCode
from ringback_schemas.jobs import ClaimedJob, JobOutcome, JobRecord
from ringback_schemas.states import JobState
from ringback_service.worker.calling import call_on_loop
from ringback_service.worker.child import Assignment
from ringback_service.worker.concluding import conclude
from ringback_service.worker.finishing import Finisher, Saved
from ringback_service.worker.observing import AttemptLog, Observer
from ringback_service.worker.performed import Performed, Raised
from ringback_service.worker.processes import Processes
from ringback_service.worker.running import Phase, Running, Stop
from ringback_service.worker.slots import Slots
from ringback_service.worker.threads import call_in_thread

POOL_SLACK_S = 10.0
"""The pool keeps the time of its own tasks, from when they really start; this much later we no longer trust it."""

NEVER = float("inf")

REFUSED = Raised(JobError(JobErrorCode.RESULT_INVALID, "the store refused the result"), may_retry=False)
INTERRUPTED = Raised(JobError(JobErrorCode.HANDLER_ERROR, "interrupted"))
"""Stands for whatever a task would have come to that was told to stop; ``conclude`` goes by why it was."""

log = structlog.get_logger(__name__)


class Executor:
    """Takes claimed jobs through the steps."""

    def __init__(
        self,
        slots: Slots,
        finisher: Finisher,
        processes: Processes,
        prepare: Callable[[JobRecord], tuple[Task, Job]],
        *,
        public_url: str,
        observer: Observer,
        on_failure: Callable[[Exception], None],
    ) -> None:
        """``prepare`` finds a job's task and makes what that will see of the job.

        ``on_failure`` gets what is no task's doing: a bug of ours, which must end the process.
        """
        self._slots = slots
        self._finisher = finisher
        self._processes = processes
        self._prepare = prepare
        self._public_url = public_url
        self._observer = observer
        self._on_failure = on_failure
        self._log = AttemptLog()
        self._loop = asyncio.get_running_loop()

    def begin(self, claimed: ClaimedJob) -> None:
        """Take a job in hand and start it."""
        if self._slots.get((claimed.job.id, claimed.job.attempt)) is not None:
            # A database that crashed may have forgotten our claim, which is committed without waiting for its disk, and
            # handed out the same attempt anew. What runs already counts for it.
            log.warning("claimed_again", job_id=claimed.job.id, attempt=claimed.job.attempt)
            return
        task, job = self._prepare(claimed.job)
        now = self._loop.time()
        deadline = NEVER if task.runs_in == "process" else now + claimed.job.timeout_s
        running = Running(claimed, task, job, now, deadline)
        if claimed.job.is_cancel_requested:
            # somebody held it who was to stop it, and died or gave it back before that
            running.interrupt(Stop.CANCEL, now)
        self._slots.add(running)
        running.handle = asyncio.create_task(self._run(running), name=job.id)

    def abandon(self, running: Running) -> None:
        """Settle an attempt whose code will not end, without it."""
        running.is_abandoned = True
        running.saver = asyncio.create_task(self._save_abandoned(running), name=f"abandon {running.key[0]}")

    async def _run(self, running: Running) -> None:
        try:
            performed = await self._perform(running)
            if running.saver is not None:
                await running.saver
            elif running.stop is not Stop.RELEASE:
                await self._settle(running, performed)
        except Exception as error:  # noqa: BLE001 - not handled here: it ends the worker, which raises it
            self._on_failure(error)
        finally:
            self._slots.free(running)

    async def _perform(self, running: Running) -> Performed:
        """Run user code, and clear away the cancellation if it was ours."""
        if running.stop is not None:
            return INTERRUPTED
        running.phase = Phase.PERFORMING
        try:
            performed = await self._call(running)
        except asyncio.CancelledError:
            if running.stop is None:
                raise
            performed = INTERRUPTED
        finally:
            running.phase = Phase.PERFORMED
        this = running.handle
        if this is not None and this.cancelling():
            if running.stop is None:  # the task swallowed it, but it was not meant for the task
                raise asyncio.CancelledError
            while this.uncancel():
                pass
        return performed

    async def _call(self, running: Running) -> Performed:
        task, payload = running.task, running.claimed.payload
        match task.runs_in:
            case "loop":
                return await call_on_loop(task, running.job, payload)
            case "thread":
                return await call_in_thread(task, running.job, payload)
            case _:
                return await self._call_in_process(running)

    async def _call_in_process(self, running: Running) -> Performed:
        job = running.claimed.job

        def on_start() -> None:
            running.deadline = self._loop.time() + job.timeout_s + POOL_SLACK_S

        assignment = Assignment(
            job.id, job.type, job.attempt, job.max_attempts, job.tags, job.created_at, running.claimed.payload
        )
        return await self._processes.call(assignment, job.timeout_s, on_start)

    async def _save_abandoned(self, running: Running) -> None:
        try:
            if running.stop is not Stop.RELEASE:
                await self._settle(running, INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - as in _run
            self._on_failure(error)
        finally:
            self._slots.abandon(running)

    async def _settle(self, running: Running, performed: Performed) -> None:
        duration_s = self._loop.time() - running.started_at
        outcome = self._conclude(running, performed)
        try:
            saved = await self._finisher.save(outcome)
        except RowRefused:
            # our own words now: if the store will not have these either, that is a bug, and goes up
            outcome = self._conclude(running, REFUSED)
            saved = await self._finisher.save(outcome)
        if saved is Saved.RECORDED and outcome.state is JobState.RETRYING:
            self._finisher.announce_retry(outcome, running.claimed.job.queue)
        label = outcome.state.value if saved is Saved.RECORDED else saved.value
        self._observer.on_attempt(running.claimed.job, label, duration_s)
        self._log.write(running, label, duration_s, performed.error if isinstance(performed, Raised) else None)

    def _conclude(self, running: Running, performed: Performed) -> JobOutcome:
        return conclude(
            running.claimed.job,
            running.task,
            performed,
            running.stop,
            now=datetime.now(UTC),
            randomness=random.random(),  # noqa: S311 - jitter
            public_url=self._public_url,
        )
