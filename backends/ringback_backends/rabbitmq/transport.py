"""The socket beneath a connection: opened with a deadline, watched by the kernel, cut at will."""

import asyncio
import contextlib
import socket
from typing import Any

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

TCP_CONNECT_S = 5.0
UNACKNOWLEDGED_S = 15
"""How long the kernel lets sent bytes go unacknowledged before it gives the socket up."""


class CuttableSocket(TransportFactory):
    """Opens one socket and remembers it.

    aiormq closes a connection by writing to it and waiting; on a half-open link that takes half a minute, and its tasks
    and buffers live as long. ``cut`` ends them at once.
    """

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the host of ``url``, with TLS for ``amqps``.

        Raises:
            TimeoutError: nobody answered.
            OSError: refused, no such host, or a bad certificate.
        """
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        async with asyncio.timeout(TCP_CONNECT_S):
            reader, writer = await factory.create(url, **kwargs)
        self._writer = writer
        _let_the_kernel_watch(writer.get_extra_info("socket"))
        return reader, writer

    def cut(self) -> None:
        """Drop the connection without a word. Safe at any time."""
        if self._writer is not None:
            self._writer.transport.abort()


class CuttableConnection(aio_pika.Connection):
    """aio-pika's plain connection over such a socket."""

    def __init__(self, url: URL, **kwargs: Any) -> None:
        super().__init__(url, **kwargs)
        self.socket = CuttableSocket()
        self.kwargs["transport_factory"] = self.socket


def _let_the_kernel_watch(connected: socket.socket) -> None:
    """A second net beneath heartbeats: keepalive, and TCP_USER_TIMEOUT (RFC 5482) where the system has it."""
    # another system may lack an option or refuse it, and heartbeats work without
    with contextlib.suppress(OSError, AttributeError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_S * 1000)
