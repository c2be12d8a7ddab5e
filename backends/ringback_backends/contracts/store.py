"""The store's contract: the database is the queue of record."""

from typing import Protocol

from ringback_backends.contracts.audit import AuditStore
from ringback_backends.contracts.deliveries import DeliveryStore
from ringback_backends.contracts.endpoints import EndpointStore
from ringback_backends.contracts.feed import FeedStore
from ringback_backends.contracts.instances import InstanceStore
from ringback_backends.contracts.jobs import JobStore
from ringback_backends.contracts.lanes import LaneStore
from ringback_backends.contracts.replays import ReplayStore
from ringback_backends.contracts.retention import RetentionStore
from ringback_backends.contracts.tenants import TenantStore


class Store(
    JobStore,
    DeliveryStore,
    LaneStore,
    EndpointStore,
    InstanceStore,
    TenantStore,
    AuditStore,
    ReplayStore,
    RetentionStore,
    FeedStore,
    Protocol,
):
    """Keeps everything. One conformance suite (tests/conformance) says when a back end is done.

    A store belongs to one event loop. Any call may raise ``StoreUnavailable``, and does within a bounded time.
    """

    async def ping(self) -> str:
        """The schema's revision, when the store answers and the schema is ours.

        Raises:
            StoreUnavailable: it does not answer.
            SchemaMismatch: it is not the schema that this program knows.
        """

    async def close(self) -> None:
        """Close what was opened. Safe to call twice."""
