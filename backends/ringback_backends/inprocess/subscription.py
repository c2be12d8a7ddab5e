"""A consumer of the in-process broker, and the envelopes in its hand."""

import asyncio

from ringback_backends.contracts.broker import Received
from ringback_backends.inprocess.lane import Lane, Ticket

PREFETCH = 50
"""Unsettled envelopes that one subscription holds of one queue, as with RabbitMQ."""


class InProcessReceived:
    """An envelope in hand."""

    def __init__(self, ticket: Ticket, lane: Lane, owner: "InProcessSubscription") -> None:
        self.envelope = ticket.envelope
        self.ticket = ticket
        self.lane = lane
        self._owner = owner

    def ack(self) -> None:
        """Done with it. Safe to call twice."""
        if self._owner.settle(self):
            self.lane.deal()

    def give_back(self) -> None:
        """Let another consumer have it, before all others. Safe to call twice."""
        if self._owner.settle(self):
            self.lane.put_back([self.ticket])


class InProcessSubscription:
    """Takes from some lanes in turn."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes
        self._buffer: list[InProcessReceived] = []
        self._unsettled: dict[Lane, set[InProcessReceived]] = {lane: set() for lane in lanes}
        self._arrived = asyncio.Event()
        self._is_paused = False
        self._is_closed = False
        for lane in lanes:
            lane.join(self)

    def has_room(self, lane: Lane) -> bool:
        """Whether it takes one more."""
        return not self._is_paused and len(self._unsettled[lane]) < PREFETCH

    def offer(self, lane: Lane, ticket: Ticket) -> None:
        """Take one; whoever waits in ``receive`` gets it."""
        received = InProcessReceived(ticket, lane, self)
        self._unsettled[lane].add(received)
        self._buffer.append(received)
        self._arrived.set()

    def settle(self, received: InProcessReceived) -> bool:
        """Forget it; false when it was settled before."""
        unsettled = self._unsettled[received.lane]
        if received not in unsettled:
            return False
        unsettled.remove(received)
        return True

    async def receive(self) -> list[Received]:
        """All that wait here, at least one."""
        while not self._buffer:
            self._arrived.clear()
            await self._arrived.wait()
        received: list[Received] = list(self._buffer)
        self._buffer.clear()
        return received

    async def pause(self) -> None:
        """Take no more, and give back what has not been received."""
        self._is_paused = True
        unread, self._buffer = self._buffer, []
        self._return(unread)

    async def resume(self) -> None:
        """Take again."""
        if self._is_closed:
            return
        self._is_paused = False
        for lane in self._lanes:
            lane.deal()

    async def close(self) -> None:
        """Pause for ever; what was received and not settled goes back too."""
        if self._is_closed:
            return
        self._is_closed = True
        for lane in self._lanes:
            lane.leave(self)
        await self.pause()
        self._return([received for unsettled in self._unsettled.values() for received in unsettled])

    def _return(self, received: list[InProcessReceived]) -> None:
        returned: dict[Lane, list[Ticket]] = {}
        for one in received:
            if self.settle(one):
                returned.setdefault(one.lane, []).append(one.ticket)
        for lane, tickets in returned.items():
            lane.put_back(tickets)
