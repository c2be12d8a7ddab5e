"""Takes messages out of a queue that the driver cannot even decode.

aiormq gives up the whole connection over a property that is not UTF-8, which RabbitMQ passes on unlooked at. The server
then puts the message back, and it ends the next connection: without a remedy for ever, and for every consumer.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.exceptions import InvalidFrameError
from aiormq import Channel, spec
from aiormq.abc import DeliveredMessage

from ringback_backends.rabbitmq.errors import DRIVER_ERRORS, own_cancellation_only
from ringback_backends.rabbitmq.line import CLOSE_S, STEP_S, Line

Connect = Callable[[], Awaitable[Line]]
Restore = Callable[[bytes], Awaitable[None]]


def is_undecodable(line: Line) -> bool:
    """Whether that connection ended over something that could not be decoded."""
    return line.lost.is_set() and isinstance(line.reason, InvalidFrameError)


async def sieve(connect: Connect, queue: str, depth: int, restore: Restore) -> bool:
    """Drop the first undecodable message among the first ``depth``; whether there was one.

    Messages are taken without acknowledgement over a connection of their own, until one ends it: that one is gone then.
    The good ones before it are given to ``restore``. To look for its place first and take it alone does not work:
    what a lost connection held comes back in another order.

    Raises:
        OSError, AMQPError and the rest of ``DRIVER_ERRORS``: the connection failed for another reason.
    """
    line = await connect()
    try:
        channel = await line.channel()
        for _ in range(depth):
            message = await _get(line, channel, queue)
            if message is None:
                return True
            if isinstance(message.delivery, spec.Basic.GetEmpty):
                return False
            # a crash just here loses an envelope, and polling finds what it named
            await restore(message.body)
        return False
    finally:
        await line.close()


async def _get(line: Line, channel: Channel, queue: str) -> DeliveredMessage | None:
    """The next message or the news that there is none; nothing when it cannot be decoded."""
    try:
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                return await channel.basic_get(queue, no_ack=True)
    except DRIVER_ERRORS:
        async with asyncio.timeout(CLOSE_S):
            await line.lost.wait()
        if is_undecodable(line):
            return None
        raise
