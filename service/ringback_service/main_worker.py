"""The composition root of a worker process: opens everything it needs, runs it, and undoes it in reverse order."""

from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog

from ringback.egress import EgressPolicy
from ringback.job import Resources
from ringback.registry import load_tasks
from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.composing import HEART_CONNECTIONS, connecting, pace, probed, rescue_plan, retention
from ringback_backends.lease.drain import Shutdown, StoppedEarly, leave_at_once
from ringback_backends.lease.frame import FramePlan, framed
from ringback_backends.observed import observed
from ringback_backends.sampling import Sampler
from ringback_backends.sql import open_store
from ringback_schemas.instances import Role
from ringback_service.worker.worker import Worker, WorkerPlan

CLEAN = 0
UNCLEAN = 8
"""Some jobs were given back, or left behind: they run elsewhere."""

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
        rescue_plan(settings),
        retention(settings),
    )
    async with AsyncExitStack() as stack:
        store = observed(await stack.enter_async_context(opening(pool_size=settings.pool_size)), metrics.store)
        broker = await stack.enter_async_context(connecting(settings, metrics))
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
        await stack.enter_async_context(probed(settings, store, broker, metrics, shutdown))
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
        pace=pace(settings),
    )
