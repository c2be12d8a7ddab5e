"""Brokers for tests, closed when the test ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from ringback_backends.contracts.broker import Broker
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.rabbitmq import RabbitBroker
from tests.servers import fresh_vhost
from tests.servers.provision import RabbitAddresses

CLOSE_WITHIN_S = 10.0


@pytest.fixture
def own_vhost(rabbit: RabbitAddresses) -> Iterator[str]:
    """A virtual host that this test may do anything to."""
    with fresh_vhost(rabbit.url, rabbit.management_url) as url:
        yield url


@pytest.fixture(scope="module")
def classic_url(rabbit: RabbitAddresses) -> Iterator[str]:
    """A virtual host for classic queues."""
    with fresh_vhost(rabbit.url, rabbit.management_url) as url:
        yield url


@pytest.fixture(params=["in process", "quorum queues", "classic queues"])
def make_broker(request: pytest.FixtureRequest) -> Callable[[], Broker]:
    """Makes one of the brokers, not started."""
    if request.param == "in process":
        return InProcessBroker
    queue_type = request.param.split()[0]
    url: str = request.getfixturevalue("classic_url" if queue_type == "classic" else "module_amqp_url")
    return lambda: RabbitBroker(url, queue_type=queue_type)


@pytest.fixture
async def broker(make_broker: Callable[[], Broker]) -> AsyncIterator[Broker]:
    """One of the brokers, started."""
    broker = make_broker()
    await broker.start()
    yield broker
    async with asyncio.timeout(CLOSE_WITHIN_S):
        await broker.close()


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """Closes brokers that a test made itself: ``closing.push_async_callback(broker.close)``."""
    async with AsyncExitStack() as stack:
        yield stack
