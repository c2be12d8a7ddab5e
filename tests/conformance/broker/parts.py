"""What the tests of brokers are made of."""

import asyncio
import secrets

from ringback_backends.contracts.broker import Broker, Queue, Received, Subscription
from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_schemas.envelopes import Envelope, EnvelopeKind
from ringback_schemas.ids import new_delivery_id, new_job_id

WITHIN_S = 20.0


def jobs(count: int = 1) -> Envelope:
    """An envelope of so many fresh job ids."""
    return Envelope(EnvelopeKind.JOBS, tuple(new_job_id() for _ in range(count)))


def deliveries(count: int = 1) -> Envelope:
    """An envelope of so many fresh delivery ids."""
    return Envelope(EnvelopeKind.DELIVERIES, tuple(new_delivery_id() for _ in range(count)))


def fresh_queue() -> Queue:
    """A work queue that no other test knows."""
    return Queue.work(f"test-{secrets.token_hex(6)}")


async def receive(subscription: Subscription, count: int = 1, *, within_s: float = WITHIN_S) -> list[Received]:
    """The next ``count`` envelopes, or a few more when they came together; unsettled."""
    received: list[Received] = []
    async with asyncio.timeout(within_s):
        while len(received) < count:
            received += await subscription.receive()
    return received


async def take(subscription: Subscription, count: int = 1, *, within_s: float = WITHIN_S) -> list[Envelope]:
    """The next ``count`` envelopes, each acknowledged."""
    taken: list[Envelope] = []
    async with asyncio.timeout(within_s):
        while len(taken) < count:
            for received in await subscription.receive():
                received.ack()
                taken.append(received.envelope)
    return taken


async def is_silent(subscription: Subscription, for_s: float = 0.3) -> bool:
    """Whether nothing is received for a while; what is received all the same is lost to the test."""
    try:
        async with asyncio.timeout(for_s):
            await subscription.receive()
    except TimeoutError:
        return True
    return False


async def is_published(broker: Broker, queue: Queue, envelope: Envelope) -> bool:
    """Whether one try was confirmed; for ``eventually``."""
    try:
        await broker.publish(queue, envelope)
    except BrokerUnavailable:
        return False
    return True
