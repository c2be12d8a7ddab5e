"""Takes back what dead processes held. Runs in every process, so that any survivor is enough."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES, Queue
from ringback_backends.contracts.errors import RowRefused, StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.endings import end_job
from ringback_backends.lease.announcing import announce_endings
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.instances import Rescue
from ringback_schemas.job_errors import JobError, JobErrorCode
from ringback_schemas.jobs import JobRecord, JobRef
from ringback_schemas.states import JobState

log = structlog.get_logger(__name__)


class Rescues(Protocol):
    """What a rescuer counts; telemetry implements it."""

    def on_rescued(self, jobs: int, deliveries: int, poisonous: int) -> None:
        """So much was taken from the dead."""


@dataclass(frozen=True, slots=True)
class RescuePlan:
    """When a process counts as dead, and what its jobs are allowed to cost."""

    every_s: float = 2.0
    lease_s: float = 15.0
    """Silence after which an instance is dead, by the database's clock."""
    poison_after: int = 3
    """Workers a job may kill: with this one it fails. So it is with a delivery and notifiers."""
    limit: int = 500
    """Jobs, and deliveries, in one round."""


class Rescuer(Rounds):
    """Gives back the work of silent instances, and ends jobs that killed too many workers."""

    name = "rescuer"

    def __init__(
        self,
        store: Store,
        announcer: Announcer,
        public_url: str,
        plan: RescuePlan,
        *,
        observer: Rescues | None = None,
        heart_age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """``public_url`` is the base of links in events, without a slash at its end.

        ``heart_age_s`` gives the seconds since this process beat itself.
        """
        super().__init__(plan.every_s)
        self._store = store
        self._announcer = announcer
        self._public_url = public_url
        self._plan = plan
        self._observer = observer
        self._heart_age_s = heart_age_s
        self._quiet_until = 0.0

    def spare(self) -> None:
        """Rescue nobody for half a lease: everybody may look dead, and be about to beat."""
        self._quiet_until = time.monotonic() + self._plan.lease_s / 2

    async def round(self) -> bool:
        """One rescue; True when there may be more to take.

        After an outage of the store nobody is rescued for a while. Nobody could beat meanwhile, so when it comes back
        the whole fleet looks dead for a second or two; to rescue then would run every job in the fleet twice and count
        a loss against each. Half a lease is enough for several beats (``heartbeat.RETRY_S``). The same goes for a
        process that could not beat itself for a lease: its machine slept, and others on it have yet to beat too.
        """
        if self._heart_age_s() > self._plan.lease_s:
            self.spare()
        try:
            if time.monotonic() < self._quiet_until:
                await self._store.ping()  # an outage that goes on moves the end of the quiet
                return False
            return await self._rescue()
        except StoreUnavailable:
            self.spare()
            raise

    async def _rescue(self) -> bool:
        plan = self._plan
        rescue = await self._store.rescue(plan.lease_s, plan.poison_after, plan.limit)
        self._announce(rescue)
        for job in rescue.poisonous:
            await self._end(job)
        _report(rescue, self._observer)
        deliveries = len(rescue.deliveries) + len(rescue.exhausted)
        return max(len(rescue.jobs), deliveries, len(rescue.poisonous)) >= plan.limit

    def _announce(self, rescue: Rescue) -> None:
        for queue, refs in _by_queue(rescue.jobs).items():
            self._announcer.announce(Queue.work(queue), [ref.job_id for ref in refs])
        if rescue.deliveries:
            self._announcer.announce(DELIVERIES, rescue.deliveries)

    async def _end(self, job: JobRecord) -> None:
        losses = self._plan.poison_after
        error = JobError(JobErrorCode.POISON, f"{losses} workers died while they ran this job; it is not tried again")
        now = datetime.now(UTC)
        outcome = end_job(job, JobState.FAILED, error=error.to_bytes(), now=now, public_url=self._public_url)
        # one by one: several rescuers may be at the same job, and only one of them records it
        try:
            announce_endings(self._announcer, await self._store.finish_jobs([outcome]))
        except RowRefused as error:
            # it stays with the dead, and is looked at again; the others' sake comes first
            log.warning("poisonous_job_set_aside", job_id=job.id, reason=str(error))


def _by_queue(refs: tuple[JobRef, ...]) -> dict[str, list[JobRef]]:
    queues: dict[str, list[JobRef]] = {}
    for ref in refs:
        queues.setdefault(ref.queue, []).append(ref)
    return queues


def _report(rescue: Rescue, observer: Rescues | None) -> None:
    jobs, deliveries, poisonous = len(rescue.jobs), len(rescue.deliveries), len(rescue.poisonous)
    if not (rescue.instances or jobs or deliveries or poisonous or rescue.exhausted):
        return
    log.warning(
        "rescued",
        instances=list(rescue.instances),
        jobs=jobs,
        deliveries=deliveries,
        poisonous=poisonous,
        exhausted=list(rescue.exhausted),
    )
    if observer is not None:
        observer.on_rescued(jobs, deliveries, poisonous)
