"""The composition root of ``ringback api``: the one place of the front end that names concrete back ends."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

import structlog

from ringback.registry import load_tasks
from ringback.settings import Settings, SettingsError
from ringback.telemetry.metrics import Metrics
from ringback_backends.announcer import Announcer
from ringback_backends.composing import HEART_CONNECTIONS, connecting, rescue_plan, retention
from ringback_backends.contracts.store import Store
from ringback_backends.lease.arranger import Arranger
from ringback_backends.lease.drain import Shutdown
from ringback_backends.lease.frame import first_error
from ringback_backends.lease.heartbeat import Heartbeat
from ringback_backends.lease.purger import Purger
from ringback_backends.lease.rescuer import Rescuer
from ringback_backends.lease.rounds import Rounds
from ringback_backends.lease.sweeper import Sweeper
from ringback_backends.observed import observed
from ringback_backends.readiness import Readiness
from ringback_backends.sampling import Sampler
from ringback_backends.sql import open_store
from ringback_schemas.ids import new_instance_id
from ringback_schemas.instances import NewInstance, Role
from ringback_service.api.app import build_app
from ringback_service.api.assembly import ApiPlan, ApiTelemetry, open_dependencies
from ringback_service.api.server import ApiServer
from ringback_service.bootstrap import bootstrap

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a front end's process runs."""

    server: ApiServer
    rounds: tuple[Rounds, ...]
    heartbeat: Heartbeat
    store: Store
    readiness: Readiness
    api_key: str | None


async def run_api(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> None:
    """Serve the API until ``shutdown`` is requested. The store and the broker may be away: it answers 503 meanwhile.

    Raises:
        RingbackError: the settings, the task modules, the address or the schema will not do.
    """
    if settings.is_broker_embedded:
        raise SettingsError(
            ["ringback api needs RINGBACK_BROKER_URL=amqp://…; without a broker, `ringback serve` is all in one"]
        )
    async with AsyncExitStack() as stack:
        parts = await _open(stack, settings, metrics)
        log.info("api_started", host=settings.host, port=parts.server.port, public_url=settings.public_url)
        await _run(parts, shutdown)
    log.info("api_stopped")


async def _open(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> _Parts:
    tasks = load_tasks(settings.tasks)
    database_url, box = settings.database_url.get_secret_value(), settings.secret_box()
    opened = await stack.enter_async_context(open_store(database_url, secret_box=box, pool_size=settings.pool_size))
    store = observed(opened, metrics.store)
    broker = await stack.enter_async_context(connecting(settings, metrics))
    announcer = await stack.enter_async_context(Announcer(broker, observer=metrics.broker))
    plan = api_plan(settings)
    telemetry = ApiTelemetry(metrics.api, metrics.registry, metrics.batches.observer("accept"))
    deps = await stack.enter_async_context(
        open_dependencies(plan, telemetry, store=store, broker=broker, announcer=announcer, tasks=tasks)
    )
    deps.readiness.wait_for("the default tenant and the bootstrap key")
    server = ApiServer(build_app(deps), deps.readiness, settings.host, settings.port, drain_s=settings.drain_s)
    heartbeat = Heartbeat(
        NewInstance(new_instance_id(), Role.API, socket.gethostname(), os.getpid(), plan.version),
        lambda: open_store(database_url, secret_box=box, pool_size=HEART_CONNECTIONS),
        interval_s=settings.heartbeat_s,
    )
    key = settings.bootstrap_api_key
    return _Parts(
        server=await stack.enter_async_context(server),
        rounds=_rounds(settings, metrics, store, announcer, heartbeat),
        heartbeat=heartbeat,
        store=store,
        readiness=deps.readiness,
        api_key=None if key is None else key.get_secret_value(),
    )


def api_plan(settings: Settings) -> ApiPlan:
    """What these settings make of a front end."""
    return ApiPlan(
        host=settings.host,
        public_url=settings.public_url,
        version=version("ringback"),
        callback_allow=settings.callback_allow,
        max_body_bytes=settings.max_body_bytes,
        lease_s=settings.lease_s,
    )


def _rounds(
    settings: Settings, metrics: Metrics, store: Store, announcer: Announcer, heartbeat: Heartbeat
) -> tuple[Rounds, ...]:
    return (
        Rescuer(
            store,
            announcer,
            settings.public_url,
            rescue_plan(settings),
            observer=metrics.rescues,
            heart_age_s=lambda: heartbeat.age_s,
        ),
        Sweeper(store, announcer, settings.public_url),
        Purger(store, retention(settings)),
        Arranger(store),
        Sampler(store, metrics.samples),
    )


async def _run(parts: _Parts, shutdown: Shutdown) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(parts.server.run(), name="api server")
            membership = group.create_task(_live(parts), name="membership")
            for loop in parts.rounds:
                group.create_task(loop.run(), name=loop.name)
            stop = group.create_task(_stop(parts, shutdown), name="stop")
            # what lets work in ends first, the heart last: others rescue what a silent process holds
            await asyncio.wait({serving})
            stop.cancel()
            for loop in parts.rounds:
                loop.stop()
            membership.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors


async def _live(parts: _Parts) -> None:
    """Prepare a fresh store, and be among the instances. While the store is away this waits; the API answers 503."""
    await bootstrap(parts.store, parts.api_key)
    parts.readiness.begin()
    async with parts.heartbeat:
        await parts.heartbeat.watch()


async def _stop(parts: _Parts, shutdown: Shutdown) -> None:
    await shutdown.soft.wait()
    parts.heartbeat.drain()
    parts.server.stop()
    await shutdown.hard.wait()
    parts.server.stop_now()
