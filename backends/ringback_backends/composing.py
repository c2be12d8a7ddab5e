"""What composition roots have in common: from settings to the parts that every process stands on.

It belongs to them, so it may name concrete back ends; nobody else imports it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from ringback.settings import Settings
from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.store import Store
from ringback_backends.health import serving_health
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Pace
from ringback_backends.lease.drain import Shutdown
from ringback_backends.lease.rescuer import RescuePlan
from ringback_backends.rabbitmq import RabbitBroker
from ringback_backends.readiness import Readiness
from ringback_schemas.retention import Retention

HEART_CONNECTIONS = 2
"""Of the store that a heart has for itself."""


def rescue_plan(settings: Settings) -> RescuePlan:
    """When these settings take a process for dead, and what its jobs may cost."""
    return RescuePlan(settings.rescue_every_s, settings.lease_s, settings.poison_after)


def retention(settings: Settings) -> Retention:
    """How long these settings keep what is over."""
    return Retention(
        keep_s=settings.retention_s,
        keys_s=settings.idempotency_ttl_s,
        audit_s=settings.audit_retention_s,
        replays_s=settings.replay_retention_s,
    )


def pace(settings: Settings) -> Pace:
    """How often a consumer polls. Without a broker between processes nobody wakes it: as if the broker were away."""
    return Pace(settings.poll_away_s if settings.is_broker_embedded else settings.poll_s, settings.poll_away_s)


@asynccontextmanager
async def connecting(settings: Settings, metrics: Metrics) -> AsyncIterator[Broker]:
    """The broker of these settings, started, which may be away; closed at the end.

    Raises:
        BrokerMisfit: it is there, and cannot be used.
    """
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
async def probed(
    settings: Settings, store: Store, broker: Broker, metrics: Metrics, shutdown: Shutdown
) -> AsyncIterator[None]:
    """Answers probes and scrapers on the health port while inside, if the settings name one.

    Raises:
        HealthPortTaken: nothing can listen there.
    """
    if settings.health_port is None:
        yield
        return
    readiness = Readiness(store, broker, is_draining=shutdown.soft.is_set)
    host, port = settings.health_host, settings.health_port
    async with serving_health(host, port, readiness, metrics.registry, version("ringback")):
        yield
