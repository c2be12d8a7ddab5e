"""A real store, and those who live and die in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from ringback.secretbox import SecretBox, new_key
from ringback_backends.announcer import Announcer
from ringback_backends.contracts.store import Store
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.sql import migrate, open_store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, JobId, new_instance_id, new_job_id
from ringback_schemas.instances import NewInstance, Role
from ringback_schemas.jobs import JobRecord, NewJob


@dataclass
class Place:
    """Where instances live."""

    store: Store
    open_store: Callable[[], AbstractAsyncContextManager[Store]]
    broker: InProcessBroker
    announcer: Announcer

    async def submit(self, **fields: object) -> JobId:
        """Accept a job."""
        job = NewJob(new_job_id(), DEFAULT_TENANT, "some.task", orjson.dumps(None), **fields)  # type: ignore[arg-type]
        await self.store.accept([job])
        return job.id

    async def job(self, job_id: JobId) -> JobRecord:
        """A job as it is."""
        detail = await self.store.get_job(DEFAULT_TENANT, job_id)
        assert detail is not None
        return detail.job

    async def live(self) -> InstanceId:
        """Somebody who has beaten once."""
        instance = an_instance()
        await self.store.beat(instance)
        return instance.id

    def silence_of(self, seconds: float) -> Callable[[], bool]:
        """Whether so long has passed since this was asked for."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        return lambda: loop.time() >= until

    async def registered(self) -> list[InstanceId]:
        """Who is registered."""
        return [instance.id for instance in await self.store.list_instances()]


def an_instance() -> NewInstance:
    """A process that starts."""
    return NewInstance(new_instance_id(), Role.WORKER, "host", 1, "1.0", ("default",), ("some.task",))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A SQLite store and the in-process broker."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    await migrate(url)
    box = SecretBox([new_key()])

    def opening() -> AbstractAsyncContextManager[Store]:
        return open_store(url, secret_box=box)

    broker = InProcessBroker()
    async with opening() as store, Announcer(broker) as announcer:
        await store.create_tenant(DEFAULT_TENANT, "default")
        await broker.start()
        yield Place(store, opening, broker, announcer)
        await broker.close()
