"""Keeps the time of everything that runs here: one clock for all attempts instead of a timer for each."""

import asyncio

import structlog

from ringback_schemas.errors import RingbackError
from ringback_service.worker.executor import Executor
from ringback_service.worker.observing import Observer
from ringback_service.worker.running import Phase, Running, Stop
from ringback_service.worker.slots import Slots

TICK_S = 0.1
"""How late a time-out may be noticed."""

BLOCKED_S = 1.0
"""A loop that did not turn for so long was blocked by a task; that task should run in a thread."""

log = structlog.get_logger(__name__)


class AllSlotsAbandoned(RingbackError):
    """Every slot is held by a task that would not end: only a new process can run anything."""

    def __init__(self, slots: int) -> None:
        super().__init__(f"all {slots} slots are held by tasks that ignore being stopped; the worker must start afresh")


class Timekeeper:
    """Interrupts attempts at their deadline, and abandons those that go on in spite of it."""

    def __init__(
        self, slots: Slots, executor: Executor, observer: Observer, *, abandon_s: float, tick_s: float = TICK_S
    ) -> None:
        """``abandon_s`` is the grace between the interruption and the abandonment of an attempt."""
        self._slots = slots
        self._executor = executor
        self._observer = observer
        self._abandon_s = abandon_s
        self._tick_s = tick_s

    async def run(self) -> None:
        """Tick until cancelled.

        Raises:
            AllSlotsAbandoned: there is nothing left to keep the time of.
        """
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            await asyncio.sleep(self._tick_s)
            now = loop.time()
            if now - before - self._tick_s > BLOCKED_S:
                self._report_blocked(now - before)
            before = now
            self.tick(now)
            if self._slots.abandoned >= self._slots.size:
                raise AllSlotsAbandoned(self._slots.size)

    def tick(self, now: float) -> None:
        """Look at every attempt once."""
        for running in self._slots:
            if running.phase is not Phase.PERFORMING or running.is_abandoned:
                continue
            if running.stop is None:
                if now >= running.deadline:
                    running.interrupt(Stop.TIMEOUT, now)
            elif running.stop is not Stop.RELEASE and now >= running.stop_at + self._abandon_s:
                self._abandon(running)
        self._observer.on_slots(len(self._slots), self._slots.abandoned)

    def _abandon(self, running: Running) -> None:
        job = running.claimed.job
        log.error(
            "attempt_abandoned",
            job_id=job.id,
            type=job.type,
            attempt=job.attempt,
            runs_in=running.task.runs_in,
            abandoned=self._slots.abandoned + 1,
            slots=self._slots.size,
        )
        self._executor.abandon(running)

    def _report_blocked(self, seconds: float) -> None:
        types = sorted({running.task.name for running in self._slots if running.task.runs_in == "loop"})
        log.warning("loop_blocked", seconds=round(seconds, 3), running=types[:20])
        self._observer.on_loop_blocked(seconds)
