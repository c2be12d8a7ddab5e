"""Listens for requests until it is stopped."""

import asyncio
import logging
import os
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ringback_backends.readiness import Readiness
from ringback_schemas.errors import RingbackError

_BACKLOG = 1_024
_KEEP_ALIVE_S = 75.0
_LINGER_S = 5.0
"""How long a body that was refused is read and thrown away, so that its sender gets to read the refusal."""


class _WithoutJunk(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log, less a traceback for everything that knocks at an open port and does not speak HTTP."""

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """Pass on what is not about somebody's bad HTTP."""
        error = more.get("exc_info")
        if isinstance(error, HttpProcessingError):
            level, more["exc_info"] = logging.DEBUG, None
        super().log(level, msg, *args, **more)


class CannotListen(RingbackError):
    """The address cannot be listened on: taken, not of this machine, or not allowed."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {why}")


class ApiServer:
    """Serves the front end, from ``async with`` on; ``run`` ends when it was stopped and requests in hand are done."""

    def __init__(self, app: web.Application, readiness: Readiness, host: str, port: int, *, drain_s: float) -> None:
        """``port`` 0 takes any free one. Requests in hand get ``drain_s`` seconds when it stops."""
        self._readiness = readiness
        self._host = host
        self._port = port
        self._stopping = asyncio.Event()
        self._at_once = asyncio.Event()
        self._runner = web.AppRunner(
            app,
            logger=_WithoutJunk(logging.getLogger("aiohttp.server")),
            access_log=None,  # a line per request costs more than the request; metrics count them
            auto_decompress=False,  # compressed bodies are refused, and must not be unpacked before that
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
            shutdown_timeout=drain_s,
        )

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            CannotListen: the address will not do.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port, backlog=_BACKLOG).start()
        except OSError as error:
            await self._runner.cleanup()
            why = os.strerror(error.errno) if error.errno else str(error)
            raise CannotListen(self._host, self._port, why) from error
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, if ``run`` did not."""
        if not self._at_once.is_set():
            await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    async def run(self) -> None:
        """Wait for ``stop``; then take no new connections, and finish the requests in hand."""
        await self._stopping.wait()
        self._readiness.drain()
        closing = asyncio.create_task(self._runner.cleanup(), name="api closing")
        at_once = asyncio.create_task(self._at_once.wait(), name="api at once")
        try:
            await asyncio.wait({closing, at_once}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            at_once.cancel()
            closing.cancel()
            await asyncio.wait({closing, at_once})

    def stop(self) -> None:
        """Stop, softly. Safe to call twice, and before ``run``."""
        self._stopping.set()

    def stop_now(self) -> None:
        """Stop without waiting for requests in hand: what they asked for is committed or not, and never half."""
        self._at_once.set()
        self._stopping.set()
