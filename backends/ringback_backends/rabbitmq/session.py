"""One consuming channel from its first to its last frame."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiormq import Channel, spec
from aiormq.abc import DeliveredMessage

from ringback_backends.rabbitmq.errors import explain, own_cancellation_only
from ringback_backends.rabbitmq.line import CLOSE_S, STEP_S, close_channel
from ringback_backends.rabbitmq.settlements import Settlements


class Session:
    """Consumes over one channel, or rests on it, until the server cancels the consumer or the channel goes.

    After a cancel by the server the channel is closed too, which gives back what it held: what else happens to such a
    channel differs between versions.
    """

    def __init__(self, channel: Channel, queue: str) -> None:
        self._channel = channel
        self._queue = queue
        self.settlements = Settlements(channel)
        self._news = asyncio.Event()
        self._tag: str | None = None
        self._is_cancelled = False
        self._seen = 0
        channel.closing.add_done_callback(lambda _: self._news.set())
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled)

    async def __aenter__(self) -> Self:
        """Begin to write settlements."""
        self._writer = asyncio.create_task(self.settlements.run(), name=f"settle {self._queue}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last settlements and close the channel; what is unsettled goes back."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.settlements.flush()
        except TimeoutError:
            # nothing can be written any more; the server gives everything back
            pass
        finally:
            self.settlements.end()
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            await close_channel(self._channel)

    @property
    def is_consuming(self) -> bool:
        """Whether the server sends messages."""
        return self._tag is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._is_cancelled or self._channel.is_closed

    @property
    def why_over(self) -> str:
        """Why nothing more will come."""
        if self._is_cancelled:
            return "the server cancelled the consumer (queue deleted, or its node lost)"
        closing = self._channel.closing
        error = closing.exception() if closing.done() and not closing.cancelled() else None
        return explain(error) if error is not None else "the channel was closed"

    async def prefetch(self, count: int) -> None:
        """So many unsettled messages at most, for each consumer."""
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                await self._channel.basic_qos(prefetch_count=count)

    async def consume(self, on_message: Callable[[DeliveredMessage], None]) -> None:
        """Have the messages sent."""

        async def as_callback(message: DeliveredMessage) -> None:
            on_message(message)

        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                answer = await self._channel.basic_consume(self._queue, as_callback)
        self._tag = answer.consumer_tag

    async def cancel(self) -> None:
        """Have no more sent; when it returns, all that was sent has come."""
        if self._tag is None:
            return
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                await self._channel.basic_cancel(self._tag)
        self._tag = None

    async def news(self, within_s: float) -> bool:
        """Wait until it is over or somebody nudges; false when neither happened in time."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def was_quiet(self) -> bool:
        """Whether nothing has come since this was asked last, and nothing is in hand."""
        seen, self._seen = self._seen, self.settlements.deliveries
        return seen == self._seen and self.settlements.is_empty

    def nudge(self) -> None:
        """Have ``news`` return."""
        self._news.set()

    def _on_cancelled(self, _: spec.Basic.Cancel) -> None:
        self._is_cancelled = True
        self._news.set()
