"""Makes the topology, or finds out in words how what is there differs from it.

Everything happens on channels of its own, because the server closes a channel on which something did not fit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq import Channel
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource

from ringback_backends.contracts.errors import BrokerMisfit, BrokerUnavailable
from ringback_backends.rabbitmq.errors import explain, own_cancellation_only
from ringback_backends.rabbitmq.line import STEP_S, Line, close_channel
from ringback_backends.rabbitmq.topology import ExchangeShape, QueueShape, QueueType

T = TypeVar("T")


class Allowance:
    """Which queues may be made: whoever submits jobs names queues, and each costs the server memory for good."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: set[str] = set()

    def spend(self, name: str) -> None:
        """That one is made; again, perhaps, for what was made once and deleted may be made anew.

        Raises:
            BrokerUnavailable: as many others were made as may be. Jobs of that queue are found by polling.
        """
        if name not in self._made and len(self._made) >= self._most:
            raise BrokerUnavailable(f"{name} is not there, and this process has made as many queues as it may")
        self._made.add(name)


async def declare(line: Line, *shapes: ExchangeShape | QueueShape, allowance: Allowance | None = None) -> list[str]:
    """See to it that these and what leads to them exist; remarks on what is not as wanted and can be lived with.

    Raises:
        BrokerMisfit: something is there and cannot be used.
        BrokerUnavailable: a queue is not there, and the allowance is used up.
        OSError, AMQPError and the rest of ``DRIVER_ERRORS``: the server could not be asked.
    """
    declarer = _Declarer(line, allowance)
    try:
        remarks = [await declarer.declare(shape) for shape in shapes]
    finally:
        await declarer.close()
    return [remark for remark in remarks if remark is not None]


class _Declarer:
    def __init__(self, line: Line, allowance: Allowance | None) -> None:
        self._line = line
        self._allowance = allowance
        self._channel: Channel | None = None

    async def close(self) -> None:
        if self._channel is not None:
            await close_channel(self._channel)

    async def declare(self, shape: ExchangeShape | QueueShape) -> str | None:
        """Make it or find it; a remark when it differs."""
        if isinstance(shape, ExchangeShape):
            return await self._declare_exchange(shape)
        remarks = [await self._declare_exchange(shape.exchange)] if shape.exchange else []
        remarks.append(await self._declare_queue(shape))
        if shape.exchange is not None:
            await self._bind(shape, shape.exchange)
        return "; ".join(remark for remark in remarks if remark is not None) or None

    async def _declare_exchange(self, shape: ExchangeShape) -> str | None:
        # passive first: whoever may not configure the server can use what somebody else has made
        try:
            await self._ask(lambda channel: channel.exchange_declare(shape.name, passive=True))
        except ChannelNotFoundEntity:
            await self._make_exchange(shape, durable=True)
            return None
        try:
            await self._make_exchange(shape, durable=True)
        except ChannelAccessRefused:
            return None
        except ChannelPreconditionFailed as difference:
            if await self._difference(partial(self._make_exchange, shape, durable=False)) is None:
                return f"{shape.name} is not durable"
            raise BrokerMisfit(shape.name, explain(difference)) from difference
        return None

    async def _declare_queue(self, shape: QueueShape) -> str | None:
        try:
            await self._ask(lambda channel: channel.queue_declare(shape.name, passive=True))
        except ChannelNotFoundEntity:
            if self._allowance is not None:
                self._allowance.spend(shape.name)
            await self._make_queue(shape.name, shape.arguments)
            return None
        except ChannelLockedResource as error:
            raise BrokerMisfit(shape.name, explain(error)) from error
        try:
            await self._make_queue(shape.name, shape.arguments)
        except ChannelAccessRefused:
            return None
        except ChannelPreconditionFailed:
            return await self._describe(shape)
        return None

    async def _describe(self, shape: QueueShape) -> str | None:
        """A remark about a queue that was declared by somebody else. All that matters is that it carries messages."""
        words = ""
        for type_, arguments in _likely(shape):
            difference = await self._difference(partial(self._make_queue, shape.name, arguments))
            if difference is None:
                return None if type_ is shape.type else f"{shape.name} is a {type_.value} queue, not {shape.type.value}"
            # the server names one difference only; the last guess, the plain queue, leaves out those that are ours
            words = explain(difference)
        return f"{shape.name} differs: {words}"

    async def _make_exchange(self, shape: ExchangeShape, *, durable: bool) -> None:
        await self._ask(lambda channel: channel.exchange_declare(shape.name, exchange_type="direct", durable=durable))

    async def _make_queue(self, name: str, arguments: Mapping[str, int | str]) -> None:
        await self._ask(lambda channel: channel.queue_declare(name, durable=True, arguments={**arguments}))

    async def _bind(self, shape: QueueShape, exchange: ExchangeShape) -> None:
        try:
            await self._ask(lambda channel: channel.queue_bind(shape.name, exchange.name, shape.routing_key))
        except ChannelAccessRefused:
            # as above: somebody else made it, and has surely bound it; if not, publishes come back and say so
            return

    async def _difference(self, attempt: Callable[[], Awaitable[None]]) -> ChannelPreconditionFailed | None:
        try:
            await attempt()
        except ChannelPreconditionFailed as difference:
            return difference
        return None

    async def _ask(self, question: Callable[[Channel], Awaitable[T]]) -> T:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._line.channel()
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                return await question(self._channel)


def _likely(shape: QueueShape) -> Iterator[tuple[QueueType, Mapping[str, int | str]]]:
    """How else a queue may have been declared, by this program with another setting or by hand."""
    yield QueueType.CLASSIC, {}
    for type_ in sorted(QueueType, key=lambda type_: type_ is shape.type):
        yield type_, replace(shape, type=type_).arguments
        yield type_, {"x-queue-type": type_.value}
