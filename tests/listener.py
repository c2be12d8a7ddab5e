"""What servers of tests on loopback share: they start, stop, start again on the same port, and leave nothing behind."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Self


class Listener(ABC):
    """Listens from entering to leaving; many may run side by side."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Port 0 takes a free one, which is kept over ``refuse`` and ``listen``."""
        self._host = host
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop listening, and tear down what is open."""
        await self.refuse()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    async def listen(self) -> None:
        """Take connections, again after ``refuse``."""
        self._server = await asyncio.start_server(self._accept, self._host, self._port, ssl=self._tls, limit=2**20)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take none: whoever connects gets "connection refused". Open ones are torn down. Safe to call twice."""
        if self._server is not None:
            self._server.close()
        tasks = list(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server = None

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be the other side of one connection, until it is over or cancelled; raises neither that nor what broke it."""

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
