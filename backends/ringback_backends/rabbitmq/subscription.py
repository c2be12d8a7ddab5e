"""A consumer of some queues over RabbitMQ."""

import asyncio

from ringback_backends.contracts.broker import Received
from ringback_backends.rabbitmq.background import Background
from ringback_backends.rabbitmq.feed import Feed
from ringback_backends.rabbitmq.inbox import Inbox


class RabbitSubscription:
    """One feed for each queue and one inbox for all; made by the broker."""

    def __init__(self, feeds: list[Feed], inbox: Inbox, background: Background) -> None:
        """The feeds begin at once; ``background`` is this subscription's own."""
        self._feeds = feeds
        self._inbox = inbox
        self._background = background
        self._is_closed = False
        for feed in feeds:
            background.start(feed.run(), "feed")

    async def receive(self) -> list[Received]:
        """All that wait here, at least one; waits for it for ever."""
        return await self._inbox.take(self._background.check)

    async def pause(self) -> None:
        """Take no more, and give back what has not been received."""
        await asyncio.gather(*[feed.pause() for feed in self._feeds])

    async def resume(self) -> None:
        """Take again."""
        if self._is_closed:
            return
        for feed in self._feeds:
            feed.resume()

    async def close(self) -> None:
        """Pause for ever; what was received and not settled goes back too."""
        if self._is_closed:
            return
        self._is_closed = True
        # each feed closes its channel as it ends: that gives everything back, so there is no need to pause first
        await self._background.close()
