"""The composition root of a worker process: opens everything it needs, runs it, and undoes it in reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

import structlog

from ringback.egress import EgressPolicy
from ringback.job import Resources
from ringback.registry import load_tasks
from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.store import Store
from ringback_backends.health import serving_health
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Pace
from ringback_backends.lease.drain import Shutdown, StoppedEarly, leave_at_once
from ringback_backends.lease.frame import FramePlan, framed
from ringback_backends.lease.rescuer import RescuePlan
from ringback_backends.observed import observed
from ringback_backends.rabbitmq import RabbitBroker
from ringback_backends.readiness import Readiness
from ringback_backends.sampling import Sampler
from ringback_backends.sql import open_store
from ringback_schemas.instances import Role
from ringback_service.worker.worker import Worker, WorkerPlan

CLEAN = 0
UNCLEAN = 8
"""Some jobs were given back, or left behind: they run elsewhere."""

HEART_CONNECTIONS = 2

log = structlog.get_logger(__name__)


async def run_worker(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> int:
    """Perform jobs until ``shutdown`` is requested; the exit code, 0 or 8. The store and the broker may be away.

    Does not return when a task ignores its cancellation: then it ends the process.

    Raises:
        RingbackError: it cannot start (tasks that do not load, a schema that is not ours, a port that is taken), or can
            no longer work (every slot abandoned).
    """
    try:
        worker = await _run(settings, metrics, shutdown)
    except StoppedEarly:
        return CLEAN
    if worker.running:
        leave_at_once(UNCLEAN)
    return CLEAN if worker.is_clean else UNCLEAN


async def _run(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> Worker:
    plan = worker_plan(settings)
    opening = partial(open_store, settings.database_url.get_secret_value(), secret_box=settings.secret_box())
    frame_plan = FramePlan(
        Role.WORKER,
        version("ringback"),
        settings.public_url,
        plan.queues,
        tuple(plan.registry),
        settings.heartbeat_s,
        RescuePlan(settings.rescue_every_s, settings.lease_s, settings.poison_after),
    )
    async with AsyncExitStack() as stack:
        store = observed(await stack.enter_async_context(opening(pool_size=settings.pool_size)), metrics.store)
        broker = await stack.enter_async_context(_connecting(settings, metrics))
        frame = await stack.enter_async_context(
            framed(
                frame_plan,
                shutdown,
                store=store,
                broker=broker,
                open_store=partial(opening, pool_size=HEART_CONNECTIONS),
                rescues=metrics.rescues,
                announcements=metrics.broker,
            )
        )
        worker = Worker(store, broker, frame.announcer, frame.owner, plan, metrics.worker, is_alive=frame.is_alive)
        await stack.enter_async_context(_health(settings, store, broker, metrics, shutdown))
        log.info(
            "worker_started",
            queues=plan.queues,
            tasks=sorted(plan.registry),
            concurrency=plan.concurrency,
            polls_every_s=plan.pace.poll_s,
        )
        await frame.run(shutdown, [worker], [Sampler(store, metrics.samples)])
    log.info("worker_stopped")
    return worker


def worker_plan(settings: Settings) -> WorkerPlan:
    """What these settings make of a worker; loads its tasks.

    Raises:
        TaskModuleError: they do not load.
    """
    return WorkerPlan(
        queues=settings.queue_names,
        public_url=settings.public_url,
        registry=load_tasks(settings.tasks),
        task_specs=settings.tasks,
        resources=Resources(EgressPolicy(settings.callback_allow)),
        concurrency=settings.concurrency,
        drain_s=settings.drain_s,
        # without a broker between processes nobody wakes this one: it polls as if the broker were away
        pace=Pace(settings.poll_away_s if settings.is_broker_embedded else settings.poll_s, settings.poll_away_s),
    )


@asynccontextmanager
async def _connecting(settings: Settings, metrics: Metrics) -> AsyncIterator[Broker]:
    broker: Broker
    if settings.is_broker_embedded:
        broker = InProcessBroker(observer=metrics.broker)
    else:
        url = settings.broker_url.get_secret_value()
        broker = RabbitBroker(url, queue_type=settings.queue_type, observer=metrics.broker)
    metrics.broker.watch(lambda: broker.status.is_connected, lambda: broker.status.is_blocked)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.close()


@asynccontextmanager
async def _health(
    settings: Settings, store: Store, broker: Broker, metrics: Metrics, shutdown: Shutdown
) -> AsyncIterator[None]:
    if settings.health_port is None:
        yield
        return
    readiness = Readiness(store, broker, is_draining=shutdown.soft.is_set)
    host, port = settings.health_host, settings.health_port
    async with serving_health(host, port, readiness, metrics.registry, version("ringback")):
        yield
