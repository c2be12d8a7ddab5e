"""What a network does to connections: cut, half open, slow, refused."""

import asyncio
import gc
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest

from ringback_backends.contracts.errors import BrokerUnavailable
from ringback_backends.rabbitmq import RabbitBroker
from tests.conformance.broker.parts import fresh_queue, is_published, is_silent, jobs, receive, take
from tests.faults.proxy import Direction, TcpProxy
from tests.waiting import eventually

BACK_WITHIN_S = 5.0
HEALED_WITHIN_S = 30.0


class Counting:
    """Counts what the broker tells."""

    def __init__(self) -> None:
        self.published: list[str] = []
        self.reconnected: list[str] = []

    def on_publish(self, result: str, seconds: float) -> None:
        """One more, in no time at all or more."""
        assert seconds >= 0
        self.published.append(result)

    def on_parked(self) -> None:
        """Not of interest here."""

    def on_reconnect(self, role: str) -> None:
        """One more."""
        self.reconnected.append(role)


@pytest.fixture
async def proxy(module_amqp_url: str) -> AsyncIterator[TcpProxy]:
    """A network to RabbitMQ that the test controls."""
    async with TcpProxy(urlsplit(module_amqp_url).port or 5672) as proxy:
        yield proxy


@pytest.fixture
def counting() -> Counting:
    """An observer."""
    return Counting()


@pytest.fixture
async def broker(module_amqp_url: str, proxy: TcpProxy, counting: Counting) -> AsyncIterator[RabbitBroker]:
    """A broker behind that network, started."""
    parts = urlsplit(module_amqp_url)
    url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"))
    broker = RabbitBroker(url, observer=counting)
    await broker.start()
    yield broker
    await broker.close()


async def is_connected(broker: RabbitBroker, within_s: float = BACK_WITHIN_S) -> None:
    """Wait until everything stands."""
    await eventually(lambda: broker.status.is_connected, within_s=within_s, what="the broker to be connected")


@pytest.mark.parametrize("with_reset", [True, False], ids=["RST", "FIN"])
async def test_broker_is_back_when_its_connections_were_cut(
    broker: RabbitBroker, proxy: TcpProxy, counting: Counting, *, with_reset: bool
) -> None:
    """Within five seconds both connections stand again, and the observer is told."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await is_connected(broker)

    proxy.cut(with_reset=with_reset)
    await eventually(lambda: not broker.status.is_connected, what="the cut to be seen")

    await is_connected(broker)
    await broker.publish(queue, envelope)
    assert [envelope] == await take(subscription)
    assert sorted(counting.reconnected) == ["consuming", "publishing"]


async def test_publish_fails_at_once_while_connections_are_refused(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """No publish waits for a connection; ``status`` says why there is none."""
    await proxy.refuse()
    proxy.cut()
    await eventually(lambda: not broker.status.is_connected, what="the cut to be seen")

    async with asyncio.timeout(0.2):
        with pytest.raises(BrokerUnavailable):
            await broker.publish(fresh_queue(), jobs())

    await eventually(lambda: "Connect call failed" in broker.status.detail, what="the refusal to be told")
    await proxy.accept()
    await is_connected(broker)


async def test_publish_gives_up_at_its_deadline_when_no_confirm_comes(
    broker: RabbitBroker, proxy: TcpProxy, counting: Counting
) -> None:
    """Many at once too, all within their two seconds."""
    queue = fresh_queue()
    await broker.publish(queue, jobs())
    proxy.hold(Direction.TO_CLIENT)

    async with asyncio.timeout(3):
        outcomes = await asyncio.gather(*[broker.publish(queue, jobs()) for _ in range(50)], return_exceptions=True)

    assert all(isinstance(outcome, BrokerUnavailable) for outcome in outcomes)
    assert ["confirmed", *["timeout"] * 50] == counting.published


async def test_half_open_connections_are_replaced_when_nothing_passes(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """Nobody is told that the network swallows everything; new connections are tried all the same, and soon."""
    subscription = broker.subscribe((fresh_queue(),))
    await is_connected(broker)
    before = proxy.accepted

    proxy.hold()

    await eventually(lambda: proxy.accepted >= before + 2, within_s=HEALED_WITHIN_S, what="new connections")
    assert not broker.status.is_connected
    await subscription.close()


async def test_broker_is_back_when_a_black_hole_heals(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """After a network that swallowed everything both publishing and consuming work again."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await is_connected(broker)
    proxy.hold()
    await eventually(lambda: not broker.status.is_connected, within_s=HEALED_WITHIN_S, what="the hole to be seen")

    proxy.heal()

    await is_connected(broker, HEALED_WITHIN_S)
    assert await eventually(lambda: is_published(broker, queue, envelope), what="a publish")
    assert [envelope] == await take(subscription)


async def test_publishes_are_under_way_together_when_the_network_is_slow(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """Two hundred publishes over a link of a second's round trip take little more than one second."""
    queue = fresh_queue()
    await asyncio.gather(*[broker.publish(queue, jobs()) for _ in range(2)])
    proxy.delay(0.5)

    async with asyncio.timeout(1.9):
        await asyncio.gather(*[broker.publish(queue, jobs()) for _ in range(200)])


async def unconfirmed(broker: RabbitBroker, proxy: TcpProxy, count: int) -> list[asyncio.Task[None]]:
    """So many publishes that are under way; whatever RabbitMQ says to them is held back."""
    queue = fresh_queue()
    await broker.publish(queue, jobs())
    proxy.hold(Direction.TO_CLIENT)
    before = proxy.passed(Direction.TO_SERVER)
    publishes = [asyncio.create_task(broker.publish(queue, jobs())) for _ in range(count)]
    await eventually(lambda: proxy.passed(Direction.TO_SERVER) > before, what="publishes to be on their way")
    return publishes


async def test_every_publish_ends_when_connections_are_cut_beneath_it(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """Confirmed or ``BrokerUnavailable``: never the driver's ``CancelledError``, which nobody asked for."""
    publishes = await unconfirmed(broker, proxy, 300)

    proxy.cut()
    outcomes = await asyncio.gather(*publishes, return_exceptions=True)

    assert all(isinstance(outcome, BrokerUnavailable) for outcome in outcomes)


async def test_publish_goes_over_the_next_connection_when_its_own_is_cut(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """A blip costs no wake-up: what was not confirmed is published once more, within the same deadline."""
    publishes = await unconfirmed(broker, proxy, 300)

    proxy.cut()
    proxy.heal()

    await asyncio.gather(*publishes)


async def test_nothing_confirmed_is_lost_when_connections_are_cut_again_and_again(
    broker: RabbitBroker, proxy: TcpProxy
) -> None:
    """Ten cuts amid publishing and consuming: every confirmed envelope arrives."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))
    confirmed, arrived = set(), set()

    async def consume() -> None:
        while True:
            for received in await subscription.receive():
                arrived.add(received.envelope.ids)
                received.ack()

    consuming = asyncio.create_task(consume())
    for _ in range(10):
        await is_connected(broker)
        for envelope in [jobs() for _ in range(20)]:
            if await is_published(broker, queue, envelope):
                confirmed.add(envelope.ids)
        proxy.cut()
        await eventually(lambda: not broker.status.is_connected, what="the cut to be seen")

    await eventually(lambda: confirmed <= arrived, what="all confirmed envelopes")
    assert len(confirmed) >= 100
    consuming.cancel()


async def test_ack_does_nothing_when_the_connection_it_came_by_is_gone(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """A late ack must not settle another message: delivery tags begin anew on each channel."""
    queue, first, second = fresh_queue(), jobs(), jobs()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, first)
    stale = (await receive(subscription))[0]
    proxy.cut()
    await eventually(lambda: not broker.status.is_connected, what="the cut to be seen")
    await is_connected(broker)
    await broker.publish(queue, second)
    fresh = await receive(subscription, 2)

    stale.ack()
    await subscription.close()

    assert [first, second] == [received.envelope for received in fresh]
    assert [first, second] == await take(broker.subscribe((queue,)), 2)


async def test_receive_goes_on_waiting_when_the_connection_is_lost(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """*for ever while the broker is away*: the driver's cancellation does not reach the consumer."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await is_connected(broker)
    waiting = asyncio.create_task(subscription.receive())

    proxy.cut()
    assert await eventually(lambda: is_published(broker, queue, envelope), what="a publish")

    received = await asyncio.wait_for(waiting, BACK_WITHIN_S)
    assert [envelope] == [one.envelope for one in received]


async def test_cancelling_a_publish_cancels_it(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """Our own cancellation goes on, as it must."""
    (publishing,) = await unconfirmed(broker, proxy, 1)

    publishing.cancel()

    await asyncio.wait({publishing}, timeout=1)
    assert publishing.cancelled()


async def test_pausing_and_closing_are_bounded_when_nothing_passes(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """A process stops in time although its network swallows everything."""
    queue = fresh_queue()
    subscription = broker.subscribe((queue,))
    await broker.publish(queue, jobs())
    (await receive(subscription))[0].ack()
    proxy.hold()

    async with asyncio.timeout(10):
        await subscription.pause()
        await broker.close()

    assert await is_silent(subscription)


async def test_failed_connections_leave_nothing_open(broker: RabbitBroker, proxy: TcpProxy) -> None:
    """An unclosed connection of aio-pika starts to close itself when it is collected, in whatever loop runs then."""
    await proxy.refuse()
    proxy.cut()
    await eventually(lambda: "Connect call failed" in broker.status.detail, what="a failed connection")

    await broker.close()

    assert [thing for thing in gc.get_objects() if isinstance(thing, aio_pika.Connection) and not thing.is_closed] == []
