"""Publishing: persistent, mandatory, confirmed, many at once, each with one deadline round everything."""

import asyncio
from collections.abc import Mapping

from aio_pika.exceptions import ChannelClosed, ChannelInvalidStateError, DeliveryError, PublishError
from aiormq import Channel, spec

from ringback_backends.broker_observer import BrokerObserver
from ringback_backends.contracts.errors import BrokerMisfit, BrokerUnavailable
from ringback_backends.rabbitmq.declaring import Allowance
from ringback_backends.rabbitmq.desk import Desk
from ringback_backends.rabbitmq.errors import DRIVER_ERRORS, explain, own_cancellation_only
from ringback_backends.rabbitmq.health import Health
from ringback_backends.rabbitmq.link import Link
from ringback_backends.rabbitmq.topology import QueueShape

MAX_OUTSTANDING = 256
MOST_NEW_QUEUES = 100
"""Queues that one process makes to publish to; those that are there do not count, nor those that it consumes."""
ATTEMPTS = 3
"""A deleted exchange takes the channel with it, and that may take the connection with it: after both, once more."""

PERSISTENT = 2

Headers = Mapping[str, str | int]


class _Refused(BrokerUnavailable):
    """A publish that failed for a reason which is counted apart."""

    def __init__(self, result: str, reason: str) -> None:
        super().__init__(reason)
        self.result = result


class Publisher:
    """Publishes over one link."""

    def __init__(
        self,
        link: Link,
        health: Health,
        observer: BrokerObserver,
        deadline_s: float,
        *,
        most_new_queues: int = MOST_NEW_QUEUES,
    ) -> None:
        self._link = link
        self._health = health
        self._observer = observer
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(MAX_OUTSTANDING)
        self._allowance = Allowance(most_new_queues)
        self._desk: Desk | None = None

    async def publish(self, shape: QueueShape, body: bytes, headers: Headers | None = None) -> None:
        """Returns when the server has it safe.

        Raises:
            BrokerUnavailable: it may have it all the same.
        """
        clock = asyncio.get_running_loop().time
        began_at = clock()
        result = "away"
        try:
            await self._within_deadline(shape, body, headers)
            result = "confirmed"
        except BrokerUnavailable as refused:
            result = refused.result if isinstance(refused, _Refused) else "refused"
            raise
        except BrokerMisfit as misfit:
            result = "refused"
            self._health.note(shape.name, str(misfit))
            raise BrokerUnavailable(str(misfit)) from misfit
        except DRIVER_ERRORS as error:
            is_away = self._link.line is None
            result = "away" if is_away else _result_of(error)
            raise BrokerUnavailable(self._health.reason(self._link.role) if is_away else explain(error)) from error
        finally:
            self._observer.on_publish(result, clock() - began_at)

    async def _within_deadline(self, shape: QueueShape, body: bytes, headers: Headers | None) -> None:
        """Publish; again when the queue, the exchange or the connection has gone meanwhile."""
        desk = self._open_desk()
        async with asyncio.timeout(self._deadline_s), self._slots:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await _attempt(desk, shape, body, headers)
                except DRIVER_ERRORS as error:
                    if attempt == ATTEMPTS or _result_of(error) not in {"returned", "away"}:
                        raise
                else:
                    return
                # declared again, or over the next connection: the server may get it twice, and no harm is done
                await self._link.up()
                desk = self._open_desk()

    def _open_desk(self) -> Desk:
        """The desk on the present connection; fails at once where waiting would be in vain."""
        line = self._link.line
        if line is None:
            raise _Refused("away", self._health.reason(self._link.role))
        if line.is_blocked:
            raise _Refused("blocked", "the server takes no messages now (out of memory or disk)")
        if self._desk is None or self._desk.line is not line:
            self._desk = Desk(line, self._health, self._allowance)
        return self._desk


async def _attempt(desk: Desk, shape: QueueShape, body: bytes, headers: Headers | None) -> None:
    with own_cancellation_only():
        declaration = await desk.see_to(shape)
        try:
            await _send(await desk.channel(), shape, body, headers)
        except (PublishError, ChannelClosed, ChannelInvalidStateError):
            desk.forget(shape, declaration)
            raise


async def _send(channel: Channel, shape: QueueShape, body: bytes, headers: Headers | None) -> None:
    # The message id is left to aiormq, which draws a fresh one: it finds the publish of a returned message by that id,
    # so the same id twice in flight would end the wrong one. And no drain: it is waited for under the channel's lock,
    # one publish at a time; what is under way is bounded by the slots instead.
    properties = spec.Basic.Properties(
        content_type="application/json", delivery_mode=PERSISTENT, headers={**headers} if headers else None
    )
    await channel.basic_publish(
        body,
        exchange=shape.exchange.name if shape.exchange else "",
        routing_key=shape.routing_key,
        properties=properties,
        mandatory=True,
        wait=False,
    )


def _result_of(error: Exception) -> str:
    """What a publish that ended so counts as."""
    match error:
        case TimeoutError():
            return "timeout"
        case PublishError():
            return "returned"
        case DeliveryError():
            return "refused"
        case _:
            return "away"
