"""A forward proxy for tests: tunnels and passes on, remembers what it was asked, and fails as it is told."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from tests.answers import head
from tests.listener import Listener


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the proxy was asked for."""

    line: str
    """The request's first line."""
    headers: Mapping[str, str]
    """Names in lower case."""


class ForwardProxy(Listener):
    """Whatever it is asked for, it goes to one port on loopback."""

    def __init__(self, there: int) -> None:
        """``there`` is that port."""
        super().__init__()
        self.wanted: list[Wanted] = []
        self.refuses_with: int | None = None
        """A status that it answers everything with."""
        self.is_silent = False
        """It takes what it is asked and does nothing."""
        self.closes = False
        """It closes without an answer."""
        self._there = there

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()

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
