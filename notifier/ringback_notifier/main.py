"""The composition root of a notifier process: opens everything it needs, runs it, and undoes it in reverse order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

import structlog

from ringback.egress import EgressPolicy
from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.store import Store
from ringback_backends.health import serving_health
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Pace
from ringback_backends.lease.drain import Shutdown, StoppedEarly
from ringback_backends.lease.frame import FramePlan, framed
from ringback_backends.lease.rescuer import RescuePlan
from ringback_backends.observed import observed
from ringback_backends.rabbitmq import RabbitBroker
from ringback_backends.readiness import Readiness
from ringback_backends.sampling import Sampler
from ringback_backends.sql import open_store
from ringback_notifier.lane import LanePlan
from ringback_notifier.notifier import Notifier, NotifierPlan
from ringback_notifier.sender import Deadlines
from ringback_schemas.instances import Role

CLEAN = 0
UNCLEAN = 8
"""Some deliveries were cut off: they are sent again elsewhere."""

HEART_CONNECTIONS = 2

log = structlog.get_logger(__name__)


async def run_notifier(settings: Settings, metrics: Metrics, shutdown: Shutdown | None = None) -> int:
    """Deliver webhooks until SIGTERM or SIGINT; the exit code, 0 or 8.

    Raises:
        RingbackError: it cannot start (a schema that is not ours, a port that is taken).
    """
    shutdown = shutdown or Shutdown()
    with shutdown.on_signals():
        try:
            notifier = await _run(settings, metrics, shutdown)
        except StoppedEarly:
            return CLEAN
    return CLEAN if notifier.is_clean else UNCLEAN


async def _run(settings: Settings, metrics: Metrics, shutdown: Shutdown) -> Notifier:
    opening = partial(open_store, settings.database_url.get_secret_value(), secret_box=settings.secret_box())
    rescue = RescuePlan(settings.rescue_every_s, settings.lease_s, settings.poison_after)
    frame_plan = FramePlan(
        Role.NOTIFIER, version("ringback"), settings.public_url, heartbeat_s=settings.heartbeat_s, rescue=rescue
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
        policy = EgressPolicy(settings.callback_allow)
        plan = notifier_plan(settings)
        notifier = Notifier(
            store,
            broker,
            frame.announcer,
            frame.owner,
            policy,
            plan,
            observer=metrics.notifier,
            is_alive=frame.is_alive,
        )
        await stack.enter_async_context(_health(settings, store, broker, metrics, shutdown))
        log.info("notifier_started", concurrency=plan.concurrency, polls_every_s=plan.pace.poll_s)
        await frame.run(shutdown, [notifier], [Sampler(store, metrics.samples)])
    log.info("notifier_stopped")
    return notifier


def notifier_plan(settings: Settings) -> NotifierPlan:
    """What these settings make of a notifier."""
    return NotifierPlan(
        schedule_s=tuple(settings.retry_schedule),
        concurrency=settings.delivery_concurrency,
        deadlines=Deadlines(settings.delivery_timeout_s, settings.connect_timeout_s),
        # without a broker between processes nobody wakes this one: it polls as if the broker were away
        pace=Pace(settings.poll_away_s if settings.is_broker_embedded else settings.poll_s, settings.poll_away_s),
        grace_s=settings.drain_s,
        lane=LanePlan(settings.lane_concurrency, rate_per_s=settings.lane_rate),
        silent_s=settings.lease_s,
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
