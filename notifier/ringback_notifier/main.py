"""The composition root of a notifier process: opens everything it needs, runs it, and undoes it in reverse order."""

import ssl
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version

import structlog

from ringback.egress import EgressPolicy, TlsFile, TlsFileUnusable, client_context
from ringback.proxy_url import parse_proxy_url
from ringback.settings import Settings, SettingsError
from ringback.telemetry.metrics import Metrics
from ringback.webhooks.cloudevents import origin_of
from ringback_backends.composing import HEART_CONNECTIONS, connecting, pace, probed, rescue_plan, retention
from ringback_backends.lease.drain import Shutdown, StoppedEarly
from ringback_backends.lease.frame import FramePlan, framed
from ringback_backends.observed import observed
from ringback_backends.replayer import Replayer
from ringback_backends.sampling import Sampler
from ringback_backends.sql import open_store
from ringback_notifier.lane import LanePlan
from ringback_notifier.notifier import Notifier, NotifierPlan
from ringback_notifier.sender import Deadlines
from ringback_schemas.endpoint_health import HealthRules
from ringback_schemas.instances import Role

CLEAN = 0
UNCLEAN = 8
"""Some deliveries were cut off: they are sent again elsewhere."""

TLS_SETTINGS = {TlsFile.AUTHORITIES: "CA_FILE", TlsFile.CERTIFICATE: "CLIENT_CERT", TlsFile.KEY: "CLIENT_KEY"}

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
    plan = notifier_plan(settings)
    opening = partial(open_store, settings.database_url.get_secret_value(), secret_box=settings.secret_box())
    rescue = rescue_plan(settings)
    frame_plan = FramePlan(
        Role.NOTIFIER,
        version("ringback"),
        settings.public_url,
        heartbeat_s=settings.heartbeat_s,
        rescue=rescue,
        retention=retention(settings),
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
        policy = EgressPolicy(settings.callback_allow)
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
        await stack.enter_async_context(probed(settings, store, broker, metrics, shutdown))
        proxy = None if plan.proxy is None else plan.proxy.shown
        log.info("notifier_started", concurrency=plan.concurrency, polls_every_s=plan.pace.poll_s, proxy=proxy)
        await frame.run(shutdown, [notifier], [Sampler(store, metrics.samples), Replayer(store, frame.announcer)])
    log.info("notifier_stopped")
    return notifier


def notifier_plan(settings: Settings) -> NotifierPlan:
    """What these settings make of a notifier.

    Raises:
        SettingsError: a file that they name cannot be used.
    """
    return NotifierPlan(
        schedule_s=tuple(settings.retry_schedule),
        concurrency=settings.delivery_concurrency,
        deadlines=Deadlines(settings.delivery_timeout_s, settings.connect_timeout_s),
        pace=pace(settings),
        grace_s=settings.drain_s,
        lane=LanePlan(settings.lane_concurrency, rate_per_s=settings.lane_rate),
        silent_s=settings.lease_s,
        fifo_hold_s=settings.fifo_hold_s,
        origin=origin_of(settings.public_url),
        health=HealthRules(settings.disable_after_failures, settings.disable_after_s),
        proxy=None if settings.egress_proxy is None else parse_proxy_url(settings.egress_proxy.get_secret_value()),
        tls=_tls(settings),
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        return client_context(ca_file=settings.ca_file, certificate=settings.client_cert, key=settings.client_key)
    except TlsFileUnusable as error:
        raise SettingsError([f"RINGBACK_{TLS_SETTINGS[error.use]}: {error}"]) from error
