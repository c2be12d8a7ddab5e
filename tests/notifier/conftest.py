"""A notifier over a real store and the in-process broker, and somebody who plays the worker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from ringback.egress import EgressPolicy, destination_of
from ringback.secretbox import SecretBox, new_key
from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.store import Store
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.intake import Pace
from ringback_backends.sql import migrate, open_store
from ringback_notifier.notifier import Notifier, NotifierPlan
from ringback_notifier.sender import Deadlines, Sender
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryDetail, DeliveryKind, DeliveryOutcome, NewDelivery
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    DeliveryId,
    InstanceId,
    new_delivery_id,
    new_event_id,
    new_instance_id,
    new_job_id,
)
from ringback_schemas.instances import NewInstance, Role
from ringback_schemas.jobs import JobOutcome, NewJob
from ringback_schemas.lanes import Circuit
from ringback_schemas.states import JobState
from tests.outage import Outage
from tests.receiver import Receiver
from tests.running import running
from tests.waiting import eventually

LOOPBACK = EgressPolicy([ip_network("127.0.0.0/8")])
BODY = '{"type":"job.succeeded","timestamp":"2026-01-01T00:00:00Z","data":{"a":"żółć 🙂","n":1e400,"n":2}}\n'.encode()


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what sends over both loops: they raise different errors for the same faults, and both are in use."""
    if item.path.name in {"test_sender.py", "test_sender_tls.py", "test_proxy.py", "test_identity.py"}:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


class Counts:
    """Remembers what was attempted."""

    def __init__(self) -> None:
        self.outcomes: list[DeliveryOutcome] = []
        self.fenced: list[DeliveryOutcome] = []
        self.sources: list[str] = []
        self.lanes: dict[Circuit, int] = {}

    def on_deliveries_claimed(self, count: int, source: str) -> None:
        """Remember it."""
        self.sources += [source] * count

    def on_attempts_recorded(self, rows: int, seconds: float) -> None:
        """Nothing."""

    def on_attempt(self, claimed: ClaimedDelivery, outcome: DeliveryOutcome, *, is_recorded: bool) -> None:  # noqa: ARG002
        """Remember it; the form is a protocol's."""
        (self.outcomes if is_recorded else self.fenced).append(outcome)

    def on_lanes(self, counts: Mapping[Circuit, int]) -> None:
        """Remember the last."""
        self.lanes = dict(counts)


@dataclass
class Rig:
    """What tests of the notifier work with."""

    store: Store
    outage: Outage
    broker: InProcessBroker
    announcer: Announcer
    plan: NotifierPlan
    url: str
    key: str
    owner: InstanceId = field(default_factory=new_instance_id)
    counts: Counts = field(default_factory=Counts)

    async def deliver(self, *urls: str, body: bytes = BODY, is_announced: bool = True) -> list[DeliveryId]:
        """End a job as the worker would, with an event for each URL's receiver."""
        job = NewJob(new_job_id(), DEFAULT_TENANT, "demo.echo", b"null")
        await self.store.accept([job])
        worker = new_instance_id()
        (claimed,) = await self.store.claim_jobs(worker, [job.id], ["demo.echo"], 1)
        deliveries = tuple(
            NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, url, destination_of(url)) for url in urls
        )
        event = NewEvent(new_event_id(), DEFAULT_TENANT, job.id, "job.succeeded", body, deliveries)
        outcome = JobOutcome(job.id, claimed.job.attempt, worker, JobState.SUCCEEDED, result=b"null", event=event)
        assert None not in await self.store.finish_jobs([outcome])
        ids = [delivery.id for delivery in deliveries]
        if is_announced:
            self.announcer.announce(DELIVERIES, ids)
        return ids

    @asynccontextmanager
    async def notifier(
        self, *, policy: EgressPolicy = LOOPBACK, owner: InstanceId | None = None, **changes: Any
    ) -> AsyncIterator[Notifier]:
        """A notifier that runs while inside, and is stopped softly at the end; ``owner`` for a second one."""
        owner = owner or self.owner
        await self.store.beat(NewInstance(owner, Role.NOTIFIER, "test", 1, "0"))
        plan = replace(self.plan, **changes)
        store = cast("Store", self.outage)
        notifier = Notifier(store, self.broker, self.announcer, owner, policy, plan, observer=self.counts)
        async with running(notifier, "notifier under test"):
            yield notifier

    async def another_notifier(self) -> None:
        """Another process is registered as one."""
        await self.store.beat(NewInstance(new_instance_id(), Role.NOTIFIER, "test", 2, "0"))

    async def delivery(self, delivery_id: DeliveryId) -> DeliveryDetail:
        """All about a delivery."""
        detail = await self.store.get_delivery(DEFAULT_TENANT, delivery_id)
        assert detail is not None
        return detail

    async def when(self, delivery_id: DeliveryId, *states: str, within_s: float = 10.0) -> DeliveryDetail:
        """The delivery once it is in one of these states."""

        async def there() -> DeliveryDetail | None:
            detail = await self.delivery(delivery_id)
            return detail if detail.delivery.state in states else None

        detail = await eventually(there, within_s=within_s, what=f"{delivery_id} to be {' or '.join(states)}")
        assert detail is not None
        return detail

    async def ended(self, delivery_id: DeliveryId, within_s: float = 10.0) -> DeliveryDetail:
        """The delivery once it is done."""
        return await self.when(delivery_id, "delivered", "exhausted", "cancelled", within_s=within_s)

    async def secrets(self) -> list[str]:
        """The tenant's live secrets, newest first."""
        return [secret.secret for secret in await self.store.signing_secrets(DEFAULT_TENANT)]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A SQLite store, the in-process broker, and a schedule of two retries."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    await migrate(url)
    plan = NotifierPlan(
        schedule_s=(0.05, 0.1),
        concurrency=8,
        deadlines=Deadlines(total_s=5, connect_s=2),
        pace=Pace(0.2, 0.1),
        grace_s=5,
        strays_every_s=0.05,
    )
    broker, key = InProcessBroker(), new_key()
    async with open_store(url, secret_box=SecretBox([key])) as store, Announcer(broker) as announcer:
        await store.create_tenant(DEFAULT_TENANT, "default")
        await broker.start()
        try:
            yield Rig(store, Outage(store), broker, announcer, plan, url, key)
        finally:
            await broker.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver on loopback."""
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    """A sender that may send to loopback, over IPv6 too, with the ordinary deadlines."""
    async with Sender(EgressPolicy([ip_network("127.0.0.0/8"), ip_network("::1/128")])) as sender:
        yield sender
