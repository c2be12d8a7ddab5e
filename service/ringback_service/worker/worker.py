"""The worker: an intake that claims, an executor that performs, and what keeps watch over both."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from ringback.job import Job, Resources
from ringback.registry import Registry
from ringback.task import Task
from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.broker import Broker, Queue
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.jobs import Recorded
from ringback_backends.contracts.store import Store
from ringback_backends.intake import Intake, Pace
from ringback_schemas.ids import InstanceId, JobId
from ringback_schemas.jobs import ClaimedJob, JobOutcome, JobRecord, JobRef
from ringback_service.worker.courier import Courier, release
from ringback_service.worker.executor import Executor
from ringback_service.worker.finishing import Finisher
from ringback_service.worker.observing import Observer, Silent
from ringback_service.worker.processes import Processes
from ringback_service.worker.running import Phase, Stop
from ringback_service.worker.slots import Slots
from ringback_service.worker.timekeeper import TICK_S, Timekeeper

HAND_BACK_S = 1.0
"""How long interrupted tasks may clean up before their jobs are given back; as long again may saving take, and giving
up. Together with the drain that must fit into what an orchestrator allows (Kubernetes: 30 s)."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What a worker runs, how much of it, and how patiently."""

    queues: tuple[str, ...]
    public_url: str
    """Base of links in events, without a slash at its end."""
    registry: Registry
    task_specs: str
    """What the registry was loaded from: processes of the pool load it again."""
    resources: Resources | None = None
    """What tasks are lent; absent: the strictest."""
    concurrency: int = 64
    drain_s: float = 25.0
    """How long jobs in hand may go on when it stops."""
    abandon_s: float = 5.0
    """How long a task may go on after it was told to stop."""
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    pace: Pace = field(default_factory=Pace)
    courier_s: float = 1.0
    tick_s: float = TICK_S


class Worker:
    """Performs jobs of some queues, until it is stopped. Its instance must have been registered before it runs."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        announcer: Announcer,
        owner: InstanceId,
        plan: WorkerPlan,
        observer: Observer | None = None,
        *,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Everything it is given is opened and closed by whoever made it; it claims nothing unless ``is_alive``."""
        self._store = store
        self._announcer = announcer
        self._owner = owner
        self._plan = plan
        self._observer = observer or Silent()
        self._types = tuple(plan.registry)
        self._soft = asyncio.Event()
        self._hard = asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._released = 0
        subscription = broker.subscribe(tuple(Queue.work(queue) for queue in plan.queues))
        self._intake = Intake[ClaimedJob](self, broker, subscription, plan.pace, is_alive=is_alive)
        self._slots = Slots(plan.concurrency, self._intake.freed)
        self._batcher: Batcher[JobOutcome, Recorded] = Batcher(
            store.finish_jobs, name="finish", observe=self._observer.on_outcomes_recorded
        )
        self._finisher = Finisher(self._batcher, announcer)
        self._courier = Courier(
            store, announcer, owner, self._slots, lambda: self._intake.claim_under_way, every_s=plan.courier_s
        )
        self._processes = Processes(plan.task_specs, min(plan.processes, plan.concurrency), self._courier.note)
        self._executor = Executor(
            self._slots,
            self._finisher,
            self._processes,
            self._prepare,
            public_url=plan.public_url,
            observer=self._observer,
            on_failure=self._fail,
        )
        self._timekeeper = Timekeeper(
            self._slots, self._executor, self._observer, abandon_s=plan.abandon_s, tick_s=plan.tick_s
        )

    # what the intake asks of it

    def room(self) -> int:
        """How many more jobs it can take."""
        return self._slots.room

    async def claim(self, ids: Sequence[str]) -> Sequence[ClaimedJob]:
        """Claim those of the ids that may start."""
        return await self._store.claim_jobs(self._owner, [JobId(text) for text in ids], self._types, len(ids))

    async def claim_due(self, limit: int) -> Sequence[ClaimedJob]:
        """Claim whatever is due."""
        return await self._store.claim_due_jobs(self._owner, self._plan.queues, self._types, limit)

    def take(self, claimed: Sequence[ClaimedJob], source: str) -> None:
        """Begin with them."""
        self._observer.on_claimed(claimed, source)
        for job in claimed:
            self._executor.begin(job)

    # what a process asks of it

    @property
    def running(self) -> int:
        """Jobs in hand."""
        return len(self._slots)

    @property
    def abandoned(self) -> int:
        """Attempts that would not end and still hold a slot."""
        return self._slots.abandoned

    @property
    def is_clean(self) -> bool:
        """Whether, after it ran, everything it took was finished: nothing given back, nothing abandoned."""
        return not (self._released or len(self._slots))

    def stop(self) -> None:
        """Take nothing new, finish what is in hand within ``drain_s``, give back the rest. Safe to call twice."""
        self._soft.set()

    def stop_now(self) -> None:
        """Give back what is in hand, now. Safe to call twice."""
        self._soft.set()
        self._hard.set()

    async def run(self) -> None:
        """Perform jobs until stopped.

        Raises:
            AllSlotsAbandoned: nothing can run here any more.
        """
        guards = [
            asyncio.create_task(self._timekeeper.run(), name="timekeeper"),
            asyncio.create_task(self._courier.run(), name="courier"),
        ]
        intake = asyncio.create_task(self._intake.run(), name="intake")
        try:
            async with self._batcher:
                try:
                    await self._until(self._soft.wait(), [*guards, intake])
                    self._intake.stop()
                    await self._until(intake, guards)
                    await self._until(self._drained(), guards)
                finally:
                    await _shielded(self._hand_back([*guards, intake]))
        finally:
            await self._processes.close()
        if self._failure.done():
            self._failure.result()

    async def _until(self, awaited: Awaitable[Any], guards: Sequence[asyncio.Task[None]]) -> None:
        """Wait for something, unless something else breaks first: that is raised."""
        wanted: asyncio.Future[Any] = asyncio.ensure_future(awaited)
        watched: list[asyncio.Future[Any]] = [self._failure, *guards, wanted]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for future in watched:
                if future.done():
                    future.result()
        finally:
            wanted.cancel()

    async def _drained(self) -> None:
        """All outcomes are settled, or the patience for it is over."""
        if len(self._slots):
            log.info("draining", jobs=len(self._slots), seconds=self._plan.drain_s)
        waits = [asyncio.ensure_future(wait) for wait in (self._hard.wait(), self._slots.settled())]
        try:
            await asyncio.wait(waits, timeout=self._plan.drain_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _hand_back(self, loops: Sequence[asyncio.Task[None]]) -> None:
        """Interrupt what still runs, give it back uncharged, and save what has ended."""
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        now = asyncio.get_running_loop().time()
        for running in self._slots:
            running.interrupt(Stop.RELEASE, now)
        given_back = [running for running in self._slots if running.stop is Stop.RELEASE]
        # Interrupted first and released then: another worker starts a job the moment it is given back.
        await self._settle_within(HAND_BACK_S)
        await self._release([running.ref for running in given_back])
        for running in self._slots:
            if running.phase is Phase.PERFORMING and not running.is_abandoned:
                self._executor.abandon(running)
        await self._settle_within(HAND_BACK_S)
        self._finisher.give_up()
        await self._settle_within(HAND_BACK_S)

    async def _settle_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._slots.settled()
        except TimeoutError:
            return

    async def _release(self, refs: list[JobRef]) -> None:
        if not refs:
            return
        self._released = len(refs)
        try:
            count = await release(self._store, self._announcer, self._owner, refs)
        except StoreUnavailable as error:
            log.warning("release_failed", jobs=len(refs), reason=str(error))  # leaving, or the lease, gives them back
        else:
            log.info("released", jobs=count)

    def _prepare(self, job: JobRecord) -> tuple[Task, Job]:
        return self._plan.registry[job.type], Job(
            id=job.id,
            type=job.type,
            attempt=job.attempt,
            max_attempts=job.max_attempts,
            created_at=job.created_at,
            tags=job.tags,
            reporter=self._courier.reporter(job.id, job.attempt),
            resources=self._plan.resources,
        )

    def _fail(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)


async def _shielded(work: Awaitable[None]) -> None:
    """Do it to its end, even when cancelled meanwhile; then the cancellation goes on."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        task.result()
        raise
