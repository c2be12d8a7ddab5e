"""A programmable receiver of webhooks on loopback: answers as it is told, and keeps every request in its very bytes.

    async with Receiver() as receiver:
        receiver.script(Answer(500), Answer(503, {"Retry-After": "7"}))   # then 200 again
        ...
        first, second, third = await receiver.wait_for(3)

It speaks HTTP/1.1 by hand, because it must also do what no HTTP server does: see ``tests.answers``.
"""

import asyncio
import json
import ssl
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringback.webhooks import VerifiedWebhook, verify_webhook
from tests.answers import Answer, Behaviour, Exchange, reset
from tests.listener import Listener
from tests.waiting import eventually


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Names and values as sent, in order."""
    body: bytes
    connection: int
    """Numbers the connections from 1: equal numbers mean that one was used again."""
    at: float
    """When it had been read, by ``time.monotonic``."""

    def header(self, name: str) -> str:
        """The only value of a header, whatever the case of its name.

        Raises:
            ValueError: it is missing or there are several.
        """
        (value,) = [value for other, value in self.headers if other.lower() == name.lower()]
        return value

    @property
    def webhook_id(self) -> str:
        """The ``webhook-id``."""
        return self.header("webhook-id")

    def json(self) -> Any:
        """The body parsed."""
        return json.loads(self.body)

    def verify(self, secret: str | Sequence[str]) -> VerifiedWebhook:
        """The webhook, when its signature is good."""
        return verify_webhook(secret, dict(self.headers), self.body)


class Receiver(Listener):
    """Takes webhooks from entering to leaving; many may run side by side."""

    def __init__(self, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        """Port 0 takes a free one, which is kept over ``refuse`` and ``listen``."""
        super().__init__(host=host, port=port, tls=tls)
        self.requests: list[Request] = []
        self.connections = 0
        self._default: Behaviour = Answer()
        self._scripts: dict[str | None, deque[Behaviour]] = {}
        self._paths: dict[str, Behaviour] = {}

    @property
    def destination(self) -> str:
        """``scheme://host:port``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    def url(self, path: str = "/hook", *, host: str | None = None) -> str:
        """Where to send to; ``host`` gives the receiver another name."""
        return f"{self.destination.replace(self._host, host) if host else self.destination}{path}"

    def script(self, *answers: Behaviour, path: str | None = None) -> None:
        """Answer the next requests like this, one after the other; ``path`` limits it to requests for that target."""
        self._scripts.setdefault(path, deque()).extend(answers)

    def always(self, answer: Behaviour, *, path: str | None = None) -> None:
        """Answer like this when no script says otherwise."""
        if path is None:
            self._default = answer
        else:
            self._paths[path] = answer

    def to(self, path: str) -> list[Request]:
        """The requests for that target."""
        return [request for request in self.requests if request.target == path]

    async def wait_for(self, count: int, *, within_s: float = 10.0) -> list[Request]:
        """All requests, once there are at least so many."""
        await eventually(
            lambda: len(self.requests) >= count, within_s=within_s, what=f"{count} requests at {self.destination}"
        )
        return list(self.requests)

    def _next_answer(self, target: str) -> Behaviour:
        for key in (target, None):
            script = self._scripts.get(key)
            if script:
                return script.popleft()
        return self._paths.get(target, self._default)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._converse(reader, writer, self.connections)
        except asyncio.CancelledError:
            # the streams library would log it as an error of a callback
            reset(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while (request := await read_request(reader, connection)) is not None:
            self.requests.append(request)
            if not await self._next_answer(request.target)(Exchange(request.target, writer)):
                return


async def read_request(reader: asyncio.StreamReader, connection: int = 1) -> Request | None:
    """The next request of a connection, byte for byte; absent when the sender closed in good order."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    known = {name.lower(): value for name, value in headers}
    if known.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(known.get("content-length", "0")))
    return Request(method, target, headers, body, connection, time.monotonic())


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
