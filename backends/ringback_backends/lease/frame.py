"""What every kind of process has around its own work.

A heart, announcements, a rescuer, a sweeper, a purger, an arranger, an orderly stop.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from ringback_backends.announcer import Announcements, Announcer
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.lease.arranger import Arranger
from ringback_backends.lease.drain import Shutdown
from ringback_backends.lease.heartbeat import Heartbeat, StoreFactory
from ringback_backends.lease.purger import Purger
from ringback_backends.lease.rescuer import RescuePlan, Rescuer, Rescues
from ringback_backends.lease.sweeper import Sweeper
from ringback_schemas.ids import InstanceId, new_instance_id
from ringback_schemas.instances import NewInstance, Role
from ringback_schemas.retention import Retention

LONGEST_PAUSE_S = 2.0

log = structlog.get_logger(__name__)


class Loop(Protocol):
    """Something that runs until it is stopped."""

    async def run(self) -> None:
        """Work until ``stop``."""

    def stop(self) -> None:
        """End soon. Safe to call twice, and before ``run``."""


class Component(Loop, Protocol):
    """What a process is there for: it ends when it has finished, or given back, what it had in hand."""

    def stop_now(self) -> None:
        """End at once. Safe to call twice, and before ``run``."""


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What a process is, and how it keeps its lease."""

    role: Role
    version: str
    public_url: str
    """Base of links in events, without a slash at its end."""
    queues: tuple[str, ...] = ()
    """Queues it takes jobs from; empty unless it runs jobs."""
    task_types: tuple[str, ...] = ()
    heartbeat_s: float = 5.0
    rescue: RescuePlan = field(default_factory=RescuePlan)
    retention: Retention = field(default_factory=Retention)


@dataclass(frozen=True, slots=True)
class Frame:
    """A process that is registered: it may claim."""

    owner: InstanceId
    announcer: Announcer
    heartbeat: Heartbeat
    rescuer: Rescuer
    sweeper: Sweeper
    purger: Purger
    arranger: Arranger
    lease_s: float

    def is_alive(self) -> bool:
        """Whether the others take this process to live: else they take back at once whatever it claims."""
        return self.heartbeat.age_s < self.lease_s

    async def run(self, shutdown: Shutdown, components: Sequence[Component], others: Sequence[Loop] = ()) -> None:
        """Run components until a stop is requested and each has ended; beside them everything else.

        The order of a stop: say that we drain, let components finish, then end what served them; leaving comes last.

        Raises:
            Exception: whatever ended a loop that should not end. The first of several.
        """
        background: list[Loop] = [self.rescuer, self.sweeper, self.purger, self.arranger, *others]
        try:
            async with asyncio.TaskGroup() as group:
                for loop in background:
                    group.create_task(loop.run(), name=type(loop).__name__)
                watch = group.create_task(self.heartbeat.watch(), name="heartbeat watch")
                stop = group.create_task(self._stop(shutdown, components), name="stop")
                async with asyncio.TaskGroup() as work:
                    for component in components:
                        work.create_task(component.run(), name=type(component).__name__)
                stop.cancel()
                watch.cancel()
                for loop in background:
                    loop.stop()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors

    async def _stop(self, shutdown: Shutdown, components: Sequence[Component]) -> None:
        await shutdown.soft.wait()
        self.heartbeat.drain()
        for component in components:
            component.stop()
        await shutdown.hard.wait()
        for component in components:
            component.stop_now()


@asynccontextmanager
async def framed(
    plan: FramePlan,
    shutdown: Shutdown,
    *,
    store: Store,
    broker: Broker,
    open_store: StoreFactory,
    rescues: Rescues | None = None,
    announcements: Announcements | None = None,
) -> AsyncIterator[Frame]:
    """A registered process, which leaves at the end; waits for a store that is away.

    ``open_store`` opens a store of the heart's own, in its thread.

    Raises:
        StoppedEarly: a stop was requested before the first beat.
        SchemaMismatch: the database is not one that this program knows.
    """
    owner = new_instance_id()
    instance = NewInstance(
        owner, plan.role, socket.gethostname(), os.getpid(), plan.version, plan.queues, plan.task_types
    )
    async with AsyncExitStack() as stack:
        heartbeat = Heartbeat(instance, open_store, interval_s=plan.heartbeat_s)
        had_to_wait = await shutdown.unless_stopped(_schema_is_ours(store))
        await shutdown.unless_stopped(stack.enter_async_context(heartbeat))
        announcer = await stack.enter_async_context(Announcer(broker, observer=announcements))
        rescuer = Rescuer(
            store, announcer, plan.public_url, plan.rescue, observer=rescues, heart_age_s=lambda: heartbeat.age_s
        )
        if had_to_wait:
            rescuer.spare()
        sweeper = Sweeper(store, announcer, plan.public_url, every_s=plan.rescue.every_s)
        purger = Purger(store, plan.retention)
        arranger = Arranger(store)
        yield Frame(owner, announcer, heartbeat, rescuer, sweeper, purger, arranger, plan.rescue.lease_s)


async def _schema_is_ours(store: Store) -> bool:
    """Wait for the store, however long it takes, and ask what schema it has: nothing else would tell so clearly.

    Returns:
        Whether there was anything to wait for: the others could not beat either.
    """
    tries = 0
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_PAUSE_S),
        before_sleep=_report_wait,
        reraise=True,
    ):
        with attempt:
            tries += 1
            await store.ping()
    return tries > 1


def _report_wait(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("waiting_for_store", attempt=state.attempt_number, reason=str(error))


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first real error in a group of groups: a group of them is nothing to show to an operator."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
