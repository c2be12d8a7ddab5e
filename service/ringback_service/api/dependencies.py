"""What the front end is given by whoever starts it; it opens nothing itself."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from ringback_backends.announcer import Announcer
from ringback_backends.batcher import Batcher
from ringback_backends.contracts.store import Store
from ringback_backends.readiness import Readiness
from ringback_schemas.jobs import Acceptance, NewJob
from ringback_service.api.admission import Admission
from ringback_service.api.auth import Authenticator
from ringback_service.api.callbacks import CallbackGuard
from ringback_service.api.catalogue import Catalogue
from ringback_service.api.feed import Feed
from ringback_service.api.served import ServedTypes
from ringback_service.api.telemetry import ApiObserver


@dataclass(frozen=True, slots=True)
class ApiDependencies:
    """Everything that handlers use."""

    store: Store
    admission: Admission
    acceptor: Batcher[NewJob, Acceptance]
    """Group commit over ``store.accept``."""
    announcer: Announcer
    on_replay: Callable[[], None]
    """Tells a replayer in this process, if there is one, of a new replay."""
    authenticator: Authenticator
    callbacks: CallbackGuard
    catalogue: Catalogue
    served: ServedTypes
    feed: Feed
    readiness: Readiness
    observer: ApiObserver
    metrics: CollectorRegistry
    """What ``GET /metrics`` shows."""
    public_url: str
    """Base of all links, without a slash at its end."""
    version: str
    max_body_bytes: int
    is_local: bool
    """Whether only this machine can reach it: then metrics need no key."""
