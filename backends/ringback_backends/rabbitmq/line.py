"""One live connection. It is made once, lost once, and never mended: the link makes another."""

import asyncio
from typing import Self, cast

from aio_pika.exceptions import InvalidFrameError
from aiormq import Channel
from aiormq.abc import AbstractConnection
from yarl import URL

from ringback_backends.rabbitmq.errors import ConnectionLost, own_cancellation_only
from ringback_backends.rabbitmq.transport import CuttableConnection

HEARTBEAT_S = 10
HANDSHAKE_S = 15.0
"""A handshake is four round trips: enough for a link that is two seconds away in each direction."""

STEP_S = 10.0
"""The most that one question to the server may take."""

CLOSE_S = 2.0

_NOT_OPENED = (
    "RabbitMQ does not open the virtual host in RINGBACK_BROKER_URL: "
    "there is none of that name, this user may not use it, or it takes no more connections (its log says which)"
)
"""The server closes the connection in the place of an answer; aiormq keeps neither its code nor its words."""


class Line:
    """A connection and the news of its end."""

    def __init__(self, connection: CuttableConnection, driver: AbstractConnection) -> None:
        self._connection = connection
        self._driver = driver
        self._probe_channel: Channel | None = None
        self.lost = asyncio.Event()
        self.reason: BaseException = ConnectionLost("the connection was closed")
        driver.closing.add_done_callback(self._on_closed)

    @classmethod
    async def connect(cls, url: str, name: str) -> Self:
        """A connection to the server; ``name`` is shown in its management pages.

        Raises:
            OSError, AMQPError and the rest of ``DRIVER_ERRORS``: it did not work, and nothing is left of it.
        """
        address = URL(url)
        if "heartbeat" not in address.query:
            address = address.update_query(heartbeat=HEARTBEAT_S)
        connection = CuttableConnection(address, client_properties={"connection_name": name})
        try:
            with own_cancellation_only():
                async with asyncio.timeout(HANDSHAKE_S):
                    await connection.connect()
        except BaseException as error:
            connection.socket.cut()
            await _bury(connection)
            if isinstance(error, InvalidFrameError):
                raise ConnectionLost(_NOT_OPENED) from error
            raise
        if connection.transport is None:
            raise ConnectionLost("closed while it was made")
        return cls(connection, connection.transport.connection)

    @property
    def is_lost(self) -> bool:
        """Whether it has ended; true a moment before ``lost`` is set, and before those who wait on it are told."""
        return self.lost.is_set() or self._driver.is_closed

    @property
    def is_blocked(self) -> bool:
        """Whether the server has said that it takes no messages, for want of memory or disk.

        aiormq tells only those who wait for ``ready()``: so begin to wait, see whether it would last, and stop.
        """
        waiting = self._driver.ready()
        try:
            waiting.send(None)
        except StopIteration:
            return False
        waiting.close()
        return True

    async def channel(self, *, is_confirming: bool = False) -> Channel:
        """A new channel, straight from aiormq: aio-pika's wrapper costs a task and a future that outlive the channel.

        A confirming one raises for what comes back unroutable.
        """
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                channel = await self._driver.channel(publisher_confirms=is_confirming)
        # the abstract one lacks some arguments of the only one there is
        return cast("Channel", channel)

    async def probe(self) -> None:
        """Ask the server something harmless.

        Raises:
            TimeoutError and the rest of ``DRIVER_ERRORS``: it does not answer.
        """
        if self._probe_channel is None or self._probe_channel.is_closed:
            self._probe_channel = await self.channel()
        with own_cancellation_only():
            async with asyncio.timeout(STEP_S):
                await self._probe_channel.basic_qos(prefetch_count=1)

    async def close(self) -> None:
        """Part in good order, within two seconds, or without a word."""
        try:
            with own_cancellation_only():
                async with asyncio.timeout(CLOSE_S):
                    await self._connection.close()
        except OSError:
            # a time-out or a lost connection: then there is nobody to part from
            return
        finally:
            self.cut()
            await _bury(self._connection)

    def cut(self) -> None:
        """Drop it now."""
        self._connection.socket.cut()
        self.lost.set()

    def _on_closed(self, closing: "asyncio.Future[object]") -> None:
        if not closing.cancelled() and (reason := closing.exception()) is not None:
            self.reason = reason
        self.lost.set()


async def _bury(connection: CuttableConnection) -> None:
    """Have aio-pika know that a cut connection is closed: it would close itself as garbage, whatever loop runs then."""
    with own_cancellation_only():
        await connection.close()


async def close_channel(channel: Channel) -> None:
    """Close it in order, after all that was sent on it; what it held goes back to its queue."""
    if channel.is_closed:
        return
    try:
        with own_cancellation_only():
            async with asyncio.timeout(CLOSE_S):
                await channel.close()
    except OSError:
        return
