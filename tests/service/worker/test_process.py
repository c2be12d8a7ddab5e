"""A worker as a process has it: settings in, exit code out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from ringback.secretbox import new_key
from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.errors import SchemaMismatch
from ringback_backends.contracts.store import Store
from ringback_backends.lease.drain import Shutdown
from ringback_backends.sql import migrate, open_store
from ringback_schemas.ids import DEFAULT_TENANT, JobId, new_job_id
from ringback_schemas.instances import InstanceRecord
from ringback_schemas.jobs import NewJob
from ringback_service.main_worker import run_worker
from tests.service.worker.conftest import SPECS
from tests.waiting import eventually


def settings_for(folder: Path, **others: object) -> Settings:
    """Settings over a SQLite file, without a broker between processes."""
    given = {"database_url": f"sqlite:///{folder}/ringback.db", "encryption_keys": [new_key()], "tasks": SPECS}
    return Settings.model_validate({**given, "poll_away_s": 0.05, "drain_s": 0.1, **others})


def metrics() -> Metrics:
    """Metrics of a worker."""
    return Metrics(role="worker", version="1", store="sqlite", broker="embedded")


@asynccontextmanager
async def a_store(settings: Settings) -> AsyncIterator[Store]:
    """The migrated store of those settings."""
    url = settings.database_url.get_secret_value()
    await migrate(url)
    async with open_store(url, secret_box=settings.secret_box()) as store:
        await store.create_tenant(DEFAULT_TENANT, "default")
        yield store


async def submit(store: Store, task: str, payload: object) -> JobId:
    """Accept a job, and tell nobody."""
    job = NewJob(new_job_id(), DEFAULT_TENANT, task, orjson.dumps(payload))
    await store.accept([job])
    return job.id


async def until(store: Store, job_id: JobId, state: str) -> None:
    """Wait until a job is there."""

    async def there() -> bool:
        detail = await store.get_job(DEFAULT_TENANT, job_id)
        return detail is not None and detail.job.state == state

    await eventually(there, what=f"{job_id} to be {state}")


async def test_worker_process_registers_works_counts_and_leaves(tmp_path: Path) -> None:
    """A worker says what it serves, performs what it finds by polling, counts it, and ends with 0."""
    settings, counts, shutdown = settings_for(tmp_path), metrics(), Shutdown()
    async with a_store(settings) as store:
        process = asyncio.create_task(run_worker(settings, counts, shutdown))
        await until(store, await submit(store, "good.sum", {"a": 1, "b": 2}), "succeeded")
        instances: list[InstanceRecord] = await store.list_instances()
        shutdown.request()
        code = await process
        after = await store.list_instances()

    assert (code, after) == (0, [])
    assert [(instance.role, instance.queues) for instance in instances] == [("worker", ("default",))]
    assert "good.sum" in instances[0].task_types
    assert b'ringback_job_attempts_total{outcome="ok",task="good.sum"} 1.0' in (await counts.render())[0]


async def test_worker_process_says_what_it_does_when_it_starts(tmp_path: Path) -> None:
    """An operator reads from the log which queues and tasks a worker has, and how often it polls."""
    settings, shutdown = settings_for(tmp_path), Shutdown()
    async with a_store(settings) as store:
        with capture_logs() as lines:
            process = asyncio.create_task(run_worker(settings, metrics(), shutdown))
            await until(store, await submit(store, "good.sum", {"a": 1, "b": 2}), "succeeded")
            shutdown.request()
            await process

    (started,) = [line for line in lines if line["event"] == "worker_started"]
    assert (started["queues"], started["polls_every_s"]) == (("default",), 0.05)
    assert "good.sum" in started["tasks"]


async def test_worker_process_that_gives_work_back_ends_with_8(tmp_path: Path) -> None:
    """A worker that could not finish in time ends with 8, and the job waits for another one, uncharged."""
    settings, shutdown = settings_for(tmp_path), Shutdown()
    async with a_store(settings) as store:
        process = asyncio.create_task(run_worker(settings, metrics(), shutdown))
        job_id = await submit(store, "good.patient", 3_600)
        await until(store, job_id, "running")
        shutdown.request()
        code = await process
        detail = await store.get_job(DEFAULT_TENANT, job_id)

    assert detail is not None
    assert (code, detail.job.state, detail.job.charged_attempts, detail.job.losses) == (8, "queued", 0, 0)


async def test_worker_process_refuses_a_store_that_is_not_migrated(tmp_path: Path) -> None:
    """A database without our schema is an error that says what to do, not a wait."""
    with pytest.raises(SchemaMismatch, match="ringback migrate"):
        await run_worker(settings_for(tmp_path), metrics(), Shutdown())


async def test_worker_process_dies_when_a_part_of_it_does(tmp_path: Path) -> None:
    """A worker whose every slot is abandoned ends with an error, for its supervisor to start a fresh one."""
    settings = settings_for(tmp_path, concurrency=1)
    async with a_store(settings) as store:
        process = asyncio.create_task(run_worker(settings, metrics(), Shutdown()))
        job = NewJob(new_job_id(), DEFAULT_TENANT, "slow.thread", b"8.0", timeout_s=0.05, max_attempts=1)
        await store.accept([job])

        with pytest.raises(Exception, match="all 1 slots"):
            await process
