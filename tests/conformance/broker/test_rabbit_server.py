"""What happens to a RabbitMQ: absent, stopped, killed, emptied, out of memory. Each on a server of these tests' own."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_backends.rabbitmq import RabbitBroker
from tests.conformance.broker.parts import fresh_queue, is_published, jobs, receive, take
from tests.servers import RabbitServer, needed
from tests.waiting import eventually

BACK_WITHIN_S = 5.0


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    """A RabbitMQ that these tests may do anything to; each leaves it running."""
    with needed(RabbitServer) as server:
        yield server


@pytest.fixture
async def broker(server: RabbitServer) -> AsyncIterator[RabbitBroker]:
    """A broker over that server, started."""
    broker = RabbitBroker(server.url)
    await broker.start()
    yield broker
    await broker.close()


async def is_back(broker: RabbitBroker) -> None:
    """Wait until both connections stand and every subscription consumes, as long as is promised."""
    await eventually(lambda: broker.status.is_connected, within_s=BACK_WITHIN_S, what=f"the broker ({broker.status})")


async def test_broker_joins_when_its_server_appears(server: RabbitServer) -> None:
    """With no server ``start`` returns at once and publishing fails at once; when there is one, all works by itself."""
    await asyncio.to_thread(server.stop)
    broker, queue, envelope = RabbitBroker(server.url), fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    async with asyncio.timeout(1.5):
        await broker.start()
        with pytest.raises(BrokerUnavailable):
            await broker.publish(queue, envelope)
    assert not broker.status.is_connected

    await asyncio.to_thread(server.start)

    await is_back(broker)
    await broker.publish(queue, envelope)
    assert [envelope] == await take(subscription)
    await broker.close()


async def test_consumers_are_back_when_the_server_was_restarted(server: RabbitServer, broker: RabbitBroker) -> None:
    """Within five seconds of its return, and what waited in the queue is still there."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, jobs())
    await take(subscription)
    await subscription.pause()
    await broker.publish(queue, envelope)

    await asyncio.to_thread(server.restart)

    await is_back(broker)
    await subscription.resume()
    assert [envelope] == await take(subscription)


async def test_nothing_confirmed_is_lost_when_the_server_is_killed(server: RabbitServer, broker: RabbitBroker) -> None:
    """SIGKILL right after the confirms: all come out of the disk, and unsettled ones come again."""
    queue, envelopes = fresh_queue(), [jobs() for _ in range(100)]
    subscription = broker.subscribe((queue,))
    await is_back(broker)
    # RabbitMQ writes down where a new quorum queue keeps its log up to a second after it has said that the queue is
    # there; one that is killed before has that queue without a leader for ever, and no client can help it
    await asyncio.to_thread(server.restart)
    await is_back(broker)
    await asyncio.gather(*[broker.publish(queue, envelope) for envelope in envelopes])
    held = await receive(subscription)

    await asyncio.to_thread(server.kill)
    await eventually(lambda: not broker.status.is_connected, what="the loss to be seen")
    for received in held:
        received.ack()
    await asyncio.to_thread(server.start)

    await is_back(broker)
    taken = await take(subscription, len(envelopes))
    assert {envelope.ids for envelope in envelopes} == {envelope.ids for envelope in taken}


async def test_topology_is_declared_again_when_the_server_was_wiped(server: RabbitServer, broker: RabbitBroker) -> None:
    """A server that has forgotten everything is as good as a new one."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, jobs())
    await take(subscription)

    await asyncio.to_thread(server.wipe)

    await is_back(broker)
    await broker.publish(queue, envelope)
    assert [envelope] == await take(subscription)


async def test_publishing_fails_at_once_while_the_server_is_out_of_memory(
    server: RabbitServer, broker: RabbitBroker
) -> None:
    """The first publish waits for its deadline, the next for nothing; consuming goes on; then all is well again."""
    queue, waiting = fresh_queue(), jobs()
    await broker.publish(queue, waiting)
    await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0.0000001")
    try:
        with pytest.raises(BrokerUnavailable):
            await broker.publish(queue, jobs())
        await eventually(lambda: broker.status.is_blocked, what="the block to be seen")
        async with asyncio.timeout(0.1):
            with pytest.raises(BrokerUnavailable, match="memory"):
                await broker.publish(queue, jobs())
        subscription = broker.subscribe((queue,))
        assert waiting in await take(subscription)
    finally:
        await asyncio.to_thread(server.control, "set_vm_memory_high_watermark", "0.4")

    assert await eventually(lambda: is_published(broker, queue, jobs()), what="publishing to work again")
    await eventually(lambda: not broker.status.is_blocked, what="the block to be over")
