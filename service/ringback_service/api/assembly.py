"""Makes what handlers use from what a process has; undone in reverse order."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from prometheus_client import CollectorRegistry

from ringback.egress import EgressPolicy, GuardedResolver
from ringback.task import Task
from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher, Observer
from ringback_backends.contracts.broker import Broker
from ringback_backends.contracts.store import Store
from ringback_backends.readiness import Readiness
from ringback_service.api.admission import Admission
from ringback_service.api.auth import Authenticator
from ringback_service.api.callbacks import WITHIN_S, CallbackGuard
from ringback_service.api.catalogue import Catalogue
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.feed import Feed
from ringback_service.api.served import ServedTypes
from ringback_service.api.telemetry import ApiObserver

MAX_BATCH = 500
"""Jobs in one commit: a batch of large bodies still fits into memory, and a batch of small ones into one statement."""


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """Settings of a front end."""

    host: str
    public_url: str
    """Without a slash at its end."""
    version: str
    callback_allow: Sequence[IPv4Network | IPv6Network] = ()
    max_body_bytes: int = 1_048_576
    lease_s: float = 15.0
    """Silence after which a worker counts as dead."""


@dataclass(frozen=True, slots=True)
class ApiTelemetry:
    """Where a front end counts, and what ``GET /metrics`` shows."""

    observer: ApiObserver
    metrics: CollectorRegistry
    observe_batch: Observer | None = None
    """Told rows and seconds of each commit."""


@asynccontextmanager
async def open_dependencies(
    plan: ApiPlan,
    telemetry: ApiTelemetry,
    *,
    store: Store,
    broker: Broker,
    announcer: Announcer,
    tasks: Mapping[str, Task],
    on_replay: Callable[[], None] = lambda: None,
) -> AsyncIterator[ApiDependencies]:
    """What handlers use; at the end, accepted jobs that are in hand are answered first.

    ``on_replay`` is called for each new replay: a replayer in the same process need not wait for its next look.
    """
    policy = EgressPolicy(plan.callback_allow)
    resolver = GuardedResolver(policy, within_s=WITHIN_S)
    readiness = Readiness(store, broker)
    try:
        async with Batcher(
            store.accept, name="accept", max_rows=MAX_BATCH, observe=telemetry.observe_batch
        ) as acceptor:
            yield ApiDependencies(
                store=store,
                admission=Admission(),
                acceptor=acceptor,
                announcer=announcer,
                on_replay=on_replay,
                authenticator=Authenticator(store),
                callbacks=CallbackGuard(policy, resolver),
                catalogue=Catalogue(tasks),
                served=ServedTypes(store, silent_s=plan.lease_s),
                feed=Feed(store, readiness.draining),
                readiness=readiness,
                observer=telemetry.observer,
                metrics=telemetry.metrics,
                public_url=plan.public_url,
                version=plan.version,
                max_body_bytes=plan.max_body_bytes,
                is_local=_is_loopback(plan.host),
            )
    finally:
        await resolver.close()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
