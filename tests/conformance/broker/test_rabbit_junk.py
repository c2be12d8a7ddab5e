"""Messages that are no envelopes: put aside, counted, and nobody waits for them."""

import json
from collections.abc import AsyncIterator

import aio_pika
import pamqp.encode
import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.rabbitmq import RabbitBroker
from ringback_schemas.envelopes import Envelope
from tests.conformance.broker.management import VirtualHost
from tests.conformance.broker.parts import deliveries, fresh_queue, is_silent, jobs, take
from tests.servers.provision import RabbitAddresses
from tests.waiting import eventually


class Counting:
    """Counts parked messages."""

    def __init__(self) -> None:
        self.parked = 0

    def on_publish(self, result: str, seconds: float) -> None:
        """Not of interest here."""

    def on_parked(self) -> None:
        """One more."""
        self.parked += 1

    def on_reconnect(self, role: str) -> None:
        """Not of interest here."""


@pytest.fixture
def vhost(own_vhost: str, rabbit: RabbitAddresses) -> VirtualHost:
    """A virtual host of this test's own."""
    return VirtualHost(own_vhost, rabbit.management_url)


@pytest.fixture
def counting() -> Counting:
    """An observer."""
    return Counting()


@pytest.fixture
async def broker(vhost: VirtualHost, counting: Counting) -> AsyncIterator[RabbitBroker]:
    """A broker over it, started."""
    broker = RabbitBroker(vhost.url, observer=counting)
    await broker.start()
    yield broker
    await broker.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "not JSON"),
        ("", "not JSON"),
        ("[]", "not an envelope of version 1"),
        (json.dumps({"v": 2, "kind": "jobs", "ids": ["x"]}), "not an envelope of version 1"),
        (json.dumps({"v": 1, "kind": "tasks", "ids": ["x"]}), "kind is neither"),
        (json.dumps({"v": 1, "kind": "jobs", "ids": []}), "ids is not a list"),
        (json.dumps({"v": 1, "kind": "jobs", "ids": ["job_1"]}), "not a job id"),
        (deliveries().to_bytes().decode(), "names deliveries"),
    ],
)
async def test_junk_is_parked_with_its_reason(
    broker: RabbitBroker, vhost: VirtualHost, counting: Counting, text: str, reason: str
) -> None:
    """It leaves the queue, what comes after it flows, and a person finds out what it was and why."""
    queue, envelope = fresh_queue(), jobs()
    subscription = broker.subscribe((queue,))
    await eventually(lambda: broker.status.is_connected, what="the consumer")
    vhost.publish("ringback.work", queue.name, text)
    await broker.publish(queue, envelope)

    assert [envelope] == await take(subscription)

    await eventually(lambda: counting.parked == 1, what="the message to be parked")
    (parked,) = vhost.messages("ringback.parked")
    assert text == parked["payload"]
    assert reason in parked["properties"]["headers"]["ringback-reason"]
    assert f"ringback.work.{queue.name}" == parked["properties"]["headers"]["ringback-queue"]


async def test_ten_megabytes_of_junk_are_parked_in_part(
    broker: RabbitBroker, vhost: VirtualHost, counting: Counting
) -> None:
    """Only their beginning is kept, with the size they had."""
    subscription = broker.subscribe((DELIVERIES,))
    await eventually(lambda: broker.status.is_connected, what="the consumer")
    async with await aio_pika.connect(vhost.url) as connection:
        exchange = await (await connection.channel()).get_exchange("ringback.deliveries")
        await exchange.publish(aio_pika.Message(b"x" * 10_000_000), "deliveries")

    await eventually(lambda: counting.parked == 1, what="the message to be parked")

    (parked,) = vhost.messages("ringback.parked")
    assert parked["payload_bytes"] == 65_536
    assert parked["properties"]["headers"]["ringback-size-bytes"] == 10_000_000
    assert await is_silent(subscription)


async def test_a_hundred_pieces_of_junk_hold_nobody_up(
    broker: RabbitBroker, vhost: VirtualHost, counting: Counting
) -> None:
    """More junk than the prefetch holds: all of it is parked, and the envelope behind it arrives."""
    queue, envelope = fresh_queue(), jobs()
    await broker.publish(queue, jobs())
    async with await aio_pika.connect(vhost.url) as connection:
        exchange = await (await connection.channel()).get_exchange("ringback.work")
        for _ in range(100):
            await exchange.publish(aio_pika.Message(b"junk"), queue.name)
    await broker.publish(queue, envelope)

    assert envelope in await take(broker.subscribe((queue,)), 2)
    await eventually(lambda: counting.parked == 100, what="all of it to be parked")


async def publish_undecodable(url: str, exchange: str, routing_key: str) -> None:
    """A message whose content type is no UTF-8: RabbitMQ passes it on, and aiormq closes the connection over it."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        message = aio_pika.Message(b"{}", content_type="?")
        with pytest.MonkeyPatch.context() as patch:
            encode = pamqp.encode.METHODS["shortstr"]
            spoilt = {"shortstr": lambda text: b"\x02\xff\xfe" if text == "?" else encode(text)}
            patch.setattr(pamqp.encode, "METHODS", {**pamqp.encode.METHODS, **spoilt})
            await (await channel.get_exchange(exchange)).publish(message, routing_key)


@pytest.mark.parametrize("before", [0, 3])
async def test_a_message_that_ends_the_connection_is_dropped(
    broker: RabbitBroker, vhost: VirtualHost, counting: Counting, before: int
) -> None:
    """Not even its properties can be decoded; wherever it is, what stands before and behind it arrives."""
    queue, envelopes = fresh_queue(), [jobs() for _ in range(before + 2)]
    for number, envelope in enumerate(envelopes):
        await broker.publish(queue, envelope)
        if number == before:
            await publish_undecodable(vhost.url, "ringback.work", queue.name)

    subscription = broker.subscribe((queue,))
    arrived: set[Envelope] = set()

    async def have_all_arrived() -> bool:
        arrived.update(await take(subscription))
        return arrived == set(envelopes)

    assert await eventually(have_all_arrived, what="all envelopes")
    assert counting.parked == 1
