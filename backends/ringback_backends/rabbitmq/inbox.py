"""Envelopes that have come and wait to be received."""

import asyncio
from collections.abc import Callable

from ringback_backends.contracts.broker import Received
from ringback_backends.rabbitmq.settlements import Settlements
from ringback_schemas.envelopes import Envelope


class RabbitReceived:
    """An envelope in hand; settled through the channel that it came by, or not at all."""

    __slots__ = ("_tag", "envelope", "settlements")

    def __init__(self, envelope: Envelope, settlements: Settlements, tag: int) -> None:
        self.envelope = envelope
        self.settlements = settlements
        self._tag = tag

    def ack(self) -> None:
        """Done with it. Safe to call twice."""
        self.settlements.ack(self._tag)

    def give_back(self) -> None:
        """Let another consumer have it. Safe to call twice."""
        self.settlements.give_back(self._tag)


class Inbox:
    """What the feeds of one subscription have brought. Bounded by their prefetch."""

    def __init__(self) -> None:
        self._waiting: list[RabbitReceived] = []
        self._arrived = asyncio.Event()

    def put(self, received: RabbitReceived) -> None:
        """One more."""
        self._waiting.append(received)
        self._arrived.set()

    def wake(self) -> None:
        """Have those who wait look whether something is wrong."""
        self._arrived.set()

    async def take(self, check: Callable[[], None]) -> list[Received]:
        """All that wait, at least one; ``check`` is called before each wait and may raise."""
        while not self._waiting:
            check()
            self._arrived.clear()
            await self._arrived.wait()
        taken: list[Received] = list(self._waiting)
        self._waiting.clear()
        return taken

    def drop(self, settlements: Settlements) -> list[RabbitReceived]:
        """Take out what came by that channel."""
        dropped = [received for received in self._waiting if received.settlements is settlements]
        self._waiting = [received for received in self._waiting if received.settlements is not settlements]
        return dropped
