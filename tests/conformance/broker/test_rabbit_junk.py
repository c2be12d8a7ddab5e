"""Messages that are no envelopes: put aside, counted, and nobody waits for them."""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import aio_pika
import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.rabbitmq import RabbitBroker
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


def test_junk_tests_have_a_place_of_their_own(vhost: VirtualHost) -> None:
    """They count what is in the parking queue, so they must be alone."""
    assert urlsplit(vhost.url).path.startswith("/ringback-test-")
