"""What cases ask of RabbitMQ behind the fleet's back."""

import asyncio
import time
from urllib.parse import quote, urlsplit

import aio_pika
from aio_pika.exceptions import AMQPError

from tests.faults.stage import Stage
from tests.servers.vhosts import manage

QUEUES = ("ringback.work.default", "ringback.deliveries")
CONSUMERS = 2
"""Of each queue: two workers, two notifiers."""


def vhost(stage: Stage) -> str:
    """The case's virtual host, quoted for a path."""
    return quote(urlsplit(stage.broker_url).path[1:], safe="")


def ask(stage: Stage, method: str, path: str, body: object = None) -> object:
    """Ask the management API."""
    return manage(stage.servers.rabbit.management_url, method, path, body)


def wipe(stage: Stage) -> None:
    """Take the virtual host away with everything in it, and make an empty one of the same name."""
    ask(stage, "DELETE", f"/api/vhosts/{vhost(stage)}")
    make_vhost(stage)


def make_vhost(stage: Stage) -> None:
    """An empty virtual host of that name."""
    ask(stage, "PUT", f"/api/vhosts/{vhost(stage)}")
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    ask(stage, "PUT", f"/api/permissions/{vhost(stage)}/guest", everything)


def for_each_queue(stage: Stage, method: str, suffix: str = "") -> None:
    """Do something to every queue."""
    queues = ask(stage, "GET", f"/api/queues/{vhost(stage)}")
    assert isinstance(queues, list)
    for queue in queues:
        ask(stage, method, f"/api/queues/{vhost(stage)}/{quote(queue['name'], safe='')}{suffix}")


async def consumers_back(stage: Stage, since: float, within_s: float, *, url: str = "") -> float:
    """Seconds from ``since`` until each of our queues has both its consumers again; ``url``: asked elsewhere.

    Raises:
        AssertionError: they are not there ``within_s`` after it.
    """
    counts: dict[str, int] = {}
    while time.monotonic() - since < within_s:
        counts = await _consumers(url or stage.broker_url)
        if all(counts.get(queue, 0) >= CONSUMERS for queue in QUEUES):
            return time.monotonic() - since
        await asyncio.sleep(0.1)
    raise AssertionError(f"consumers were not back within {within_s:g} s: {counts}")


async def _consumers(url: str) -> dict[str, int]:
    """How many consumers each queue has, straight from the queues: the management API lags by seconds."""
    counts: dict[str, int] = {}
    try:
        async with asyncio.timeout(10), await aio_pika.connect(url) as connection:
            for name in QUEUES:
                channel = await connection.channel()
                queue = await channel.declare_queue(name, passive=True)
                counts[name] = queue.declaration_result.consumer_count or 0
    except (AMQPError, OSError):
        return counts
    return counts
