"""Queues and exchanges: made, found, found different, deleted beneath us, full."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest
import structlog

from ringback_backends.contracts.broker import Queue, Subscription
from ringback_backends.contracts.errors import BrokerMisfit, BrokerUnavailable
from ringback_backends.rabbitmq import RabbitBroker
from tests.conformance.broker.management import VirtualHost
from tests.conformance.broker.parts import fresh_queue, is_published, jobs, take
from tests.servers.provision import RabbitAddresses
from tests.waiting import eventually

BACK_WITHIN_S = 5.0


@pytest.fixture
def vhost(own_vhost: str, rabbit: RabbitAddresses) -> VirtualHost:
    """A virtual host of this test's own."""
    return VirtualHost(own_vhost, rabbit.management_url)


@pytest.fixture
async def broker(vhost: VirtualHost) -> AsyncIterator[RabbitBroker]:
    """A broker over it, not started."""
    broker = RabbitBroker(vhost.url)
    yield broker
    await broker.close()


async def consuming(broker: RabbitBroker, queue: Queue) -> Subscription:
    """A subscription by which something came already; starts the broker."""
    await broker.start()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, jobs())
    await take(subscription)
    return subscription


async def test_queues_are_quorum_and_durable(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """What DESIGN calls them, and what they are."""
    queue = fresh_queue()
    await broker.start()
    await broker.publish(queue, jobs())

    made = vhost.describe("queues", f"ringback.work.{queue.name}")

    assert made["arguments"]["x-queue-type"] == "quorum"
    assert made["durable"] is True
    assert vhost.describe("exchanges", "ringback.work")["type"] == "direct"
    assert vhost.describe("queues", "ringback.parked")["arguments"]["x-max-length"] == 10_000


async def test_consumer_comes_back_when_its_queue_is_deleted(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """The server cancels the consumer; the queue is declared again without a new connection."""
    queue, envelope = fresh_queue(), jobs()
    subscription = await consuming(broker, queue)

    await asyncio.to_thread(vhost.delete, "queues", f"ringback.work.{queue.name}")
    await eventually(lambda: not broker.status.is_connected, what="the cancel to be seen")

    await eventually(lambda: broker.status.is_connected, within_s=BACK_WITHIN_S, what="the consumer")
    await broker.publish(queue, envelope)
    assert [envelope] == await take(subscription)


async def test_consumer_comes_back_when_the_server_loses_it_without_a_word(vhost: VirtualHost) -> None:
    """A quorum queue deleted and declared again at once: RabbitMQ 3.10 then delivers nothing and says nothing."""
    broker = RabbitBroker(vhost.url, quiet_s=1.0)
    queue, envelope = fresh_queue(), jobs()
    subscription = await consuming(broker, queue)

    await asyncio.to_thread(vhost.delete, "queues", f"ringback.work.{queue.name}")
    await broker.publish(queue, envelope)

    assert [envelope] == await take(subscription, within_s=BACK_WITHIN_S)
    await broker.close()


async def test_publish_declares_again_what_was_deleted(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """A returned message and a missing exchange are both mended within the one publish."""
    queue, first, second = fresh_queue(), jobs(), jobs()
    await broker.start()
    await broker.publish(queue, jobs())

    await asyncio.to_thread(vhost.delete, "queues", f"ringback.work.{queue.name}")
    await broker.publish(queue, first)
    await asyncio.to_thread(vhost.delete, "exchanges", "ringback.work")
    # many at once: aiormq writes some after its answer to the close of the channel, for which RabbitMQ closes the
    # connection, so that they have to go over the next one
    await asyncio.gather(*[broker.publish(queue, second) for _ in range(100)])

    taken = await take(broker.subscribe((queue,)), 101)
    assert first == taken[0]
    assert {second.ids} == {envelope.ids for envelope in taken[1:]}


async def test_publishing_makes_so_many_queues_and_no_more(vhost: VirtualHost, closing: AsyncExitStack) -> None:
    """Whoever submits jobs names queues; what is there, or was made by this process before, can still be used."""
    broker = RabbitBroker(vhost.url, most_new_queues=2)
    closing.push_async_callback(broker.close)
    first, second, third, theirs = (fresh_queue() for _ in range(4))
    await broker.start()
    await broker.publish(first, jobs())
    await broker.publish(second, jobs())
    await asyncio.to_thread(vhost.declare, "queues", f"ringback.work.{theirs.name}")
    await asyncio.to_thread(vhost.delete, "queues", f"ringback.work.{first.name}")

    with pytest.raises(BrokerUnavailable, match=r"as many queues as it may"):
        await broker.publish(third, jobs())
    await broker.publish(theirs, jobs())
    await broker.publish(first, jobs())

    arrived = await take(broker.subscribe((first, second, theirs)), 3)
    assert len(arrived) == 3  # what the deleted queue held is gone with it


async def test_broker_comes_back_when_its_virtual_host_is_made_anew(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """Everything is gone, connections too; everything is declared again."""
    queue, envelope = fresh_queue(), jobs()
    subscription = await consuming(broker, queue)

    await asyncio.to_thread(vhost.recreate)
    await eventually(lambda: not broker.status.is_connected, what="the loss to be seen")

    await eventually(lambda: broker.status.is_connected, within_s=BACK_WITHIN_S, what="the broker")
    await broker.publish(queue, envelope)
    assert [envelope] == await take(subscription)


async def test_a_classic_queue_is_lived_with_where_quorum_is_wanted(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """It works, and the status says what differs."""
    queue, envelope = fresh_queue(), jobs()
    name = f"ringback.work.{queue.name}"
    vhost.declare("queues", name, arguments={"x-queue-type": "classic"})
    await broker.start()

    await broker.publish(queue, envelope)

    assert [envelope] == await take(broker.subscribe((queue,)))
    await eventually(lambda: broker.status.is_connected, what="the consumer")
    assert broker.status.detail == f"connected; {name} is a classic queue, not quorum"


async def test_a_queue_with_other_arguments_is_lived_with(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """A time to live, say; status and log tell it in the server's words, the log once."""
    queue, envelope = fresh_queue(), jobs()
    arguments = {"x-queue-type": "quorum", "x-message-ttl": 60_000}
    vhost.declare("queues", f"ringback.work.{queue.name}", arguments=arguments)
    with structlog.testing.capture_logs() as logs:
        await broker.start()

        await broker.publish(queue, envelope)

        assert [envelope] == await take(broker.subscribe((queue,)))
    assert "x-message-ttl" in broker.status.detail
    assert [line["event"] for line in logs if "x-message-ttl" in line.get("difference", "")] == ["broker_differs"]


async def test_a_quorum_queue_made_by_hand_is_no_difference(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """Our own limits are not worth a word."""
    queue = fresh_queue()
    vhost.declare("queues", f"ringback.work.{queue.name}", arguments={"x-queue-type": "quorum"})
    await broker.start()

    await broker.publish(queue, jobs())

    assert broker.status.detail == "connected"


async def test_start_refuses_an_exchange_of_another_type(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """A fanout exchange would give every envelope to every queue: it is named, with the difference."""
    vhost.declare("exchanges", "ringback.work", type="fanout")

    with pytest.raises(BrokerMisfit, match=r"ringback\.work exists, but differs: .*fanout"):
        await broker.start()


async def test_a_queue_that_another_connection_owns_is_told(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """Nobody else may use an exclusive queue: publishing says so and the status says so, over the same connections."""
    queue = fresh_queue()
    await broker.start()
    async with await aio_pika.connect(vhost.url) as owner:
        channel = await owner.channel()
        await channel.declare_queue(f"ringback.work.{queue.name}", exclusive=True)
        subscription = broker.subscribe((queue,))

        with pytest.raises(BrokerUnavailable, match="exists, but differs"):
            await broker.publish(queue, jobs())

        await eventually(lambda: "not consuming" in broker.status.detail, what="the trouble to be told")
    await subscription.close()


async def test_publish_fails_when_the_queue_refuses(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """A nack (``reject-publish`` on a full queue) is told; with room again the next publish is taken."""
    queue = fresh_queue()
    await broker.start()
    await broker.publish(queue, jobs())
    vhost.limit(f"ringback.work.{queue.name}", **{"max-length": 1, "overflow": "reject-publish"})

    async def is_refused() -> bool:
        return not await is_published(broker, queue, jobs())

    await eventually(is_refused, what="a refusal")
    with pytest.raises(BrokerUnavailable, match="the queue refused it"):
        await broker.publish(queue, jobs())


async def test_a_wrong_password_is_told_without_it(vhost: VirtualHost) -> None:
    """``start`` returns all the same, and neither the status nor the error shows the secret."""
    parts = urlsplit(vhost.url)
    broker = RabbitBroker(urlunsplit(parts._replace(netloc=f"guest:hunter2@{parts.hostname}:{parts.port}")))

    await broker.start()
    with pytest.raises(BrokerUnavailable) as failure:
        await broker.publish(fresh_queue(), jobs())

    assert broker.status.detail == "user or password refused"
    assert "hunter2" not in str(failure.value)
    await broker.close()


async def test_a_virtual_host_that_is_absent_is_told_in_words(vhost: VirtualHost) -> None:
    """What is to be looked at, not what the driver expected."""
    parts = urlsplit(vhost.url)
    broker = RabbitBroker(urlunsplit(parts._replace(path="/nosuchvhost")))

    await broker.start()

    assert broker.status.detail.startswith("RabbitMQ does not open the virtual host in RINGBACK_BROKER_URL")
    await broker.close()


async def test_a_user_who_may_not_configure_uses_what_is_there(broker: RabbitBroker, vhost: VirtualHost) -> None:
    """An operator may make the topology and give the processes no right to change it."""
    queue, envelope, name = fresh_queue(), jobs(), f"plain-{secrets.token_hex(4)}"
    await broker.start()
    await broker.publish(queue, envelope)
    vhost.add_user(name, "password", configure="^$", write="^ringback", read="^ringback")
    parts = urlsplit(vhost.url)
    plain = RabbitBroker(urlunsplit(parts._replace(netloc=f"{name}:password@{parts.hostname}:{parts.port}")))
    try:
        await plain.start()
        await plain.publish(queue, envelope)

        assert [envelope, envelope] == await take(plain.subscribe((queue,)), 2)
    finally:
        await plain.close()
        vhost.delete_user(name)
