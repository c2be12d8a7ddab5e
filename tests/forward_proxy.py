"""A forward proxy for tests: tunnels and passes on, remembers what it was asked, and fails as it is told."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.answers import head


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the proxy was asked for."""

    line: str
    """The request's first line."""
    headers: Mapping[str, str]
    """Names in lower case."""


class ForwardProxy:
    """Listens from entering to leaving. Whatever it is asked for, it goes to ``port`` on loopback."""

    def __init__(self, port: int) -> None:
        self.wanted: list[Wanted] = []
        self.refuses_with: int | None = None
        """A status that it answers everything with."""
        self.is_silent = False
        """It takes what it is asked and does nothing."""
        self.closes = False
        """It closes without an answer."""
        self._there = port
        self._server: asyncio.Server | None = None
        self._port = 0
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
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take none, and tear down what is open. Safe to call twice."""
        if self._server is not None:
            self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._answer(reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\r\n\r\n")
        line, *rest = raw[:-4].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        self.wanted.append(Wanted(line, headers))
        if self.is_silent:
            await asyncio.Event().wait()
        if self.closes:
            return
        if self.refuses_with is not None:
            writer.write(head(self.refuses_with, {"Content-Length": "0", "Connection": "close"}))
            await writer.drain()
            return
        there_reader, there = await asyncio.open_connection("127.0.0.1", self._there)
        try:
            if line.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                method, url, version = line.split(" ")
                target = "/" + url.split("/", 3)[3]
                there.write(raw.replace(line.encode(), f"{method} {target} {version}".encode(), 1))
            await asyncio.gather(_pass_on(reader, there), _pass_on(there_reader, writer))
        finally:
            there.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
