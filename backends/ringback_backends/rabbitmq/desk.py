"""What publishing needs on one connection: channels, and the knowledge of which queues are there."""

import asyncio
from itertools import cycle

from aiormq import Channel

from ringback_backends.rabbitmq.declaring import Allowance, declare
from ringback_backends.rabbitmq.health import Health
from ringback_backends.rabbitmq.line import Line
from ringback_backends.rabbitmq.topology import QueueShape

CHANNELS = 2
"""A channel writes one publish after the other, and one that the server closes takes its unconfirmed ones along."""


class Desk:
    """Made anew for each connection."""

    def __init__(self, line: Line, health: Health, allowance: Allowance) -> None:
        self.line = line
        self._allowance = allowance
        self._health = health
        self._channels: list[Channel | None] = [None] * CHANNELS
        self._turns = cycle(range(CHANNELS))
        self._opening = asyncio.Lock()
        self._declaring = asyncio.Lock()
        self._declared: dict[QueueShape, int] = {}
        self._declarations = 0

    async def channel(self) -> Channel:
        """One of the open confirming channels, in turn; opened when it is not."""
        turn = next(self._turns)
        channel = self._channels[turn]
        if channel is not None and not channel.is_closed:
            return channel
        async with self._opening:
            channel = self._channels[turn]
            if channel is None or channel.is_closed:
                channel = self._channels[turn] = await self.line.channel(is_confirming=True)
            return channel

    async def see_to(self, shape: QueueShape) -> int:
        """Declare the queue unless that was done on this connection; which declaration holds."""
        known = self._declared.get(shape)
        if known is not None:
            return known
        async with self._declaring:
            if shape not in self._declared:
                remarks = await declare(self.line, shape, allowance=self._allowance)
                self._health.note(shape.name, "; ".join(remarks) or None)
                self._declarations += 1
                self._declared[shape] = self._declarations
            return self._declared[shape]

    def forget(self, shape: QueueShape, declaration: int) -> None:
        """That declaration holds no longer; of a hundred publishes that find out, only the first has it made again."""
        if self._declared.get(shape) == declaration:
            del self._declared[shape]
