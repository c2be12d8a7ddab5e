"""What a programmable receiver can answer: honest answers and every way to hurt a sender that the tests know.

Each is a frozen value that is called with an ``Exchange``; ``tests.receiver`` says when.
"""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

_BLOCK = b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that was read, and the connection to answer it on."""

    target: str
    writer: asyncio.StreamWriter


class Behaviour(Protocol):
    """Answers one request, or does not."""

    async def __call__(self, exchange: Exchange) -> bool:
        """True when the connection may carry another request; it is closed (FIN) otherwise."""


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers, with the empty line."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """An honest answer: status, headers, body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer, and keep the connection."""
        has_body = self.status not in (204, 304)
        length = {"Content-Length": str(len(self.body))} if has_body else {}
        exchange.writer.write(head(self.status, {**length, **self.headers}) + (self.body if has_body else b""))
        await exchange.writer.drain()
        return True


@dataclass(frozen=True, slots=True)
class Redirect(Answer):
    """Points elsewhere."""

    status: int = 302
    location: str = "/elsewhere"

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer, and keep the connection."""
        return await Answer(self.status, {"Location": self.location, **self.headers}, self.body)(exchange)


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes the request and never answers; ends when the receiver closes or the sender goes."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Wait until the connection is closed."""
        # the future inside is the connection's own: cancelled with us, nobody else could wait for its end
        await asyncio.shield(exchange.writer.wait_closed())
        return False


@dataclass(frozen=True, slots=True)
class Held:
    """Answers once ``gate`` is set: holds a delivery in flight for as long as a test wants."""

    gate: asyncio.Event
    then: Behaviour = field(default_factory=Answer)

    async def __call__(self, exchange: Exchange) -> bool:
        """Wait for the gate, then answer."""
        await self.gate.wait()
        return await self.then(exchange)


@dataclass(frozen=True, slots=True)
class Drip:
    """Status and headers at once, then one byte of the body each ``every_s`` for ever."""

    status: int = 200
    every_s: float = 1.0

    async def __call__(self, exchange: Exchange) -> bool:
        """Drip until the sender goes."""
        exchange.writer.write(head(self.status, {"Content-Length": "1000000"}))
        while True:
            exchange.writer.write(b"x")
            await exchange.writer.drain()
            await asyncio.sleep(self.every_s)


@dataclass(frozen=True, slots=True)
class Flood:
    """A body of ``total_bytes``, as fast as the sender reads."""

    total_bytes: int = 5_000_000_000
    status: int = 200

    async def __call__(self, exchange: Exchange) -> bool:
        """Flood until it is all sent or the sender goes."""
        exchange.writer.write(head(self.status, {"Content-Length": str(self.total_bytes)}))
        for _ in range(self.total_bytes // len(_BLOCK) + 1):
            exchange.writer.write(_BLOCK)
            await exchange.writer.drain()
        return False


@dataclass(frozen=True, slots=True)
class GzipBomb:
    """A small compressed body that unpacks to ``decoded_bytes`` of zeros."""

    decoded_bytes: int = 100_000_000

    async def __call__(self, exchange: Exchange) -> bool:
        """Answer, and keep the connection."""
        body = await asyncio.to_thread(gzip.compress, bytes(self.decoded_bytes))
        return await Answer(200, {"Content-Encoding": "gzip"}, body)(exchange)


@dataclass(frozen=True, slots=True)
class DeepGzip:
    """A stream of gzip that goes on unpacking to 10 GB; what is sent is 10 MB."""

    async def __call__(self, exchange: Exchange) -> bool:
        """Send it until it is all sent or the sender goes."""
        exchange.writer.write(head(200, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}))
        for piece in _ten_gigabytes():
            exchange.writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await exchange.writer.drain()
        return False


def _ten_gigabytes() -> Iterator[bytes]:
    """The beginning of a gzip stream, then one flushed block of 100 MB of zeros again and again."""
    yield gzip.compress(b"")[:10]
    for _ in range(100):
        yield packed_zeros()


@cache
def packed_zeros() -> bytes:
    """100 MB as a block of deflate; takes a while, but once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(bytes(100_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)


@dataclass(frozen=True, slots=True)
class Reset:
    """Tears the connection down (RST) after ``first`` was sent."""

    first: bytes = b""

    async def __call__(self, exchange: Exchange) -> bool:
        """Send what there is, then reset."""
        exchange.writer.write(self.first)
        await exchange.writer.drain()
        reset(exchange.writer)
        return False


@dataclass(frozen=True, slots=True)
class Raw:
    """Sends these bytes as they are, then closes (FIN): no answer, half an answer, rubbish."""

    data: bytes = b""

    async def __call__(self, exchange: Exchange) -> bool:
        """Send, then close."""
        exchange.writer.write(self.data)
        await exchange.writer.drain()
        return False


NO_ANSWER = Raw()
SHORT_BODY = Raw(head(200, {"Content-Length": "100"}) + b"only this")
HALF_CHUNK = Raw(head(200, {"Transfer-Encoding": "chunked"}) + b"10\r\nhalf")
HALF_HEAD = Raw(b"HTTP/1.1 200 OK\r\nContent-")
NOT_HTTP = Raw(b"SSH-2.0-OpenSSH_9.6\r\n")
BAD_CHUNK = Raw(head(200, {"Transfer-Encoding": "chunked"}) + b"nonsense\r\n")


def many_headers(count: int) -> Raw:
    """An answer with that many headers."""
    return Raw(head(200, {f"X-{number}": "y" * 100 for number in range(count)}))


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side gets an RST instead of a FIN."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
