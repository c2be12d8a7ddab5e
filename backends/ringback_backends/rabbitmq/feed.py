"""Consumes one queue, whatever happens to connection, channel, queue and exchange, until it is closed."""

import asyncio
import random
from dataclasses import dataclass
from functools import partial

import structlog
from aiormq import Channel
from aiormq.abc import DeliveredMessage

from ringback_backends.contracts.errors import BrokerMisfit
from ringback_backends.rabbitmq.background import Background
from ringback_backends.rabbitmq.declaring import declare
from ringback_backends.rabbitmq.errors import DRIVER_ERRORS, ConnectionLost, explain
from ringback_backends.rabbitmq.health import Health
from ringback_backends.rabbitmq.inbox import Inbox, RabbitReceived
from ringback_backends.rabbitmq.line import Line
from ringback_backends.rabbitmq.link import STEADY_S, Link
from ringback_backends.rabbitmq.pacing import MISFIT_S, jittered_pause
from ringback_backends.rabbitmq.parking import Parking
from ringback_backends.rabbitmq.session import Session
from ringback_backends.rabbitmq.sieve import is_undecodable, sieve
from ringback_backends.rabbitmq.topology import QueueShape
from ringback_schemas.envelopes import EnvelopeKind, InvalidEnvelope, parse_envelope

QUIET_S = 30.0
"""After so long without a message a consumer begins anew, on another channel, in case the server has lost it.

RabbitMQ 3.10 does that without a word when a quorum queue is deleted and declared again at once: it still counts the
consumer, even counts messages as delivered to it, and delivers nothing.
"""

PARK_AGAIN_S = 5.0
PAUSE_WITHIN_S = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """What a feed consumes."""

    shape: QueueShape
    kind: EnvelopeKind
    prefetch: int
    quiet_s: float


class Feed:
    """One queue's consumer. ``run`` it as a task; cancel that to end it."""

    def __init__(
        self, source: Source, link: Link, inbox: Inbox, parking: Parking, health: Health, background: Background
    ) -> None:
        self._source = source
        self._link = link
        self._inbox = inbox
        self._parking = parking
        self._health = health
        self._background = background
        self._part = f"{source.shape.name} #{id(self):x}"
        self._is_wanted = True
        self._failures = 0
        self._last: Line | None = None
        self._session: Session | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        health.trouble(self._part, self._sentence("connecting"))

    async def pause(self) -> None:
        """Consume no more; returns when the server has heard it, or after three seconds."""
        self._is_wanted = False
        self._nudge()
        try:
            async with asyncio.timeout(PAUSE_WITHIN_S):
                await self._idle.wait()
        except TimeoutError:
            # the connection hangs: what comes by it meanwhile is given back as it comes
            log.debug("feed_pause_unanswered", queue=self._source.shape.name)

    def resume(self) -> None:
        """Consume again."""
        self._is_wanted = True
        self._nudge()

    async def run(self) -> None:
        """Consume, for ever."""
        try:
            while True:
                line = await self._link.up()
                pause_s = await self._one_session(line)
                await asyncio.sleep(pause_s)
        finally:
            self._health.well(self._part)

    async def _one_session(self, line: Line) -> float:
        """One channel from its beginning to its end; how many seconds to wait before the next."""
        clock = asyncio.get_running_loop().time
        began_at = clock()
        last, self._last = self._last, line
        try:
            if last is not None and is_undecodable(last):
                await self._drop_undecodable()
            remarks = await declare(line, self._source.shape)
            self._health.note(self._source.shape.name, "; ".join(remarks) or None)
            await self._consume(await line.channel())
        except BrokerMisfit as misfit:
            self._trouble(str(misfit))
            return MISFIT_S
        except DRIVER_ERRORS as error:
            if clock() - began_at >= STEADY_S:
                self._failures = 0
            self._trouble(explain(error))
            return jittered_pause(self._failures)
        return 0.0

    async def _consume(self, channel: Channel) -> None:
        """Consume over that channel until nothing has come for long, or it ends.

        Raises:
            ConnectionLost: it ended; and the rest of ``DRIVER_ERRORS``.
        """
        session = self._session = Session(channel, self._source.shape.name)
        try:
            async with session:
                await session.prefetch(self._source.prefetch)
                while not session.is_over:
                    await self._follow(session)
                    quiet_s = self._source.quiet_s * random.uniform(0.9, 1.1)  # noqa: S311 - jitter
                    if not await session.news(quiet_s) and session.is_consuming and session.was_quiet():
                        return
            raise ConnectionLost(session.why_over)
        finally:
            self._session = None
            # what it brought and nobody has received comes again by the next one
            self._inbox.drop(session.settlements)
            self._idle.set()

    async def _follow(self, session: Session) -> None:
        """Make the session do what is wanted now."""
        if self._is_wanted and not session.is_consuming:
            self._idle.clear()
            await session.consume(partial(self._on_message, session))
        elif not self._is_wanted and session.is_consuming:
            await session.cancel()
            # only now: given back while still a consumer, they would come again at once
            for received in self._inbox.drop(session.settlements):
                received.give_back()
            self._idle.set()
        self._health.well(self._part)

    def _on_message(self, session: Session, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        if tag is None or session.is_over:
            return
        session.settlements.received(tag)
        try:
            envelope = parse_envelope(message.body)
            if envelope.kind is not self._source.kind:
                raise InvalidEnvelope(f"names {envelope.kind.value}, which nobody takes from this queue")
        except InvalidEnvelope as junk:
            self._background.start(self._put_aside(session, message, tag, junk.reason), "park a message")
        else:
            self._inbox.put(RabbitReceived(envelope, session.settlements, tag))

    async def _put_aside(self, session: Session, message: DeliveredMessage, tag: int, reason: str) -> None:
        if await self._parking.park(message, self._source.shape.name, reason):
            # parked first, acked then: a crash between the two parks it twice
            session.settlements.ack(tag)
            return
        # not at once, or an unreadable message would go round and round while the server takes nothing
        await asyncio.sleep(PARK_AGAIN_S)
        session.settlements.give_back(tag)

    async def _drop_undecodable(self) -> None:
        shape = self._source.shape
        if await sieve(self._link.another, shape.name, self._source.prefetch, partial(self._parking.restore, shape)):
            self._parking.dropped(shape.name, "its properties cannot be decoded")

    def _nudge(self) -> None:
        if self._session is not None:
            self._session.nudge()

    def _trouble(self, reason: str) -> None:
        self._failures += 1
        self._health.trouble(self._part, self._sentence(reason))
        if self._failures == 1:
            log.warning("broker_consumer_lost", queue=self._source.shape.name, reason=reason)

    def _sentence(self, reason: str) -> str:
        return f"not consuming from {self._source.shape.name}: {reason}"
