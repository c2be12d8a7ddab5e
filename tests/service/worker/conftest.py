"""A worker over a real store and the in-process broker, and somebody who plays the front end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from ringback.registry import load_tasks
from ringback.secretbox import SecretBox, new_key
from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import Queue
from ringback_backends.contracts.store import Store
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Pace
from ringback_backends.sql import migrate, open_store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, JobId, new_instance_id, new_job_id
from ringback_schemas.jobs import JobDetail, JobRecord, NewJob
from ringback_service.worker.observing import Silent
from ringback_service.worker.worker import Worker, WorkerPlan
from tests.outage import Outage
from tests.running import running
from tests.waiting import eventually

SPECS = "tests.service.worker.tasks"
PUBLIC_URL = "https://ringback.test"


class Counts(Silent):
    """Remembers how attempts went."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.blocked: list[float] = []

    def on_attempt(self, job: JobRecord, outcome: str, duration_s: float) -> None:  # noqa: ARG002 - a protocol's form
        """Remember it."""
        self.outcomes.append(outcome)

    def on_loop_blocked(self, seconds: float) -> None:
        """Remember it."""
        self.blocked.append(seconds)


@dataclass
class Rig:
    """What tests of the worker work with."""

    store: Store
    outage: Outage
    broker: InProcessBroker
    announcer: Announcer
    plan: WorkerPlan
    owner: InstanceId = field(default_factory=new_instance_id)
    counts: Counts = field(default_factory=Counts)

    async def submit(self, task: str, payload: Any = None, **fields: Any) -> JobId:
        """Accept a job as the front end would."""
        job = NewJob(new_job_id(), DEFAULT_TENANT, task, orjson.dumps(payload), **fields)
        await self.store.accept([job])
        self.announcer.announce(Queue.work(job.queue), [job.id])
        return job.id

    @asynccontextmanager
    async def worker(self, **changes: Any) -> AsyncIterator[Worker]:
        """A worker that runs while inside, and is stopped softly at the end."""
        plan = replace(self.plan, **changes)
        store = cast("Store", self.outage)
        worker = Worker(store, self.broker, self.announcer, self.owner, plan, self.counts)
        async with running(worker, "worker under test"):
            yield worker

    async def job(self, job_id: JobId) -> JobDetail:
        """All about a job."""
        detail = await self.store.get_job(DEFAULT_TENANT, job_id)
        assert detail is not None
        return detail

    async def when(self, job_id: JobId, *states: str, within_s: float = 10.0) -> JobDetail:
        """The job once it is in one of these states."""

        async def there() -> JobDetail | None:
            detail = await self.job(job_id)
            return detail if detail.job.state in states else None

        detail = await eventually(there, within_s=within_s, what=f"{job_id} to be {' or '.join(states)}")
        assert detail is not None
        return detail

    async def ended(self, job_id: JobId, within_s: float = 10.0) -> JobDetail:
        """The job once it is done."""
        return await self.when(job_id, "succeeded", "failed", "cancelled", "expired", within_s=within_s)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A SQLite store, the in-process broker, and all tasks."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    await migrate(url)
    plan = WorkerPlan(
        queues=("default",),
        public_url=PUBLIC_URL,
        registry=load_tasks(SPECS),
        task_specs=SPECS,
        concurrency=8,
        drain_s=5,
        abandon_s=0.2,
        processes=1,
        pace=Pace(0.2, 0.1),
        courier_s=0.05,
        tick_s=0.02,
    )
    broker = InProcessBroker()
    async with open_store(url, secret_box=SecretBox([new_key()])) as store, Announcer(broker) as announcer:
        await store.create_tenant(DEFAULT_TENANT, "default")
        await broker.start()
        try:
            yield Rig(store, Outage(store), broker, announcer, plan)
        finally:
            await broker.close()
