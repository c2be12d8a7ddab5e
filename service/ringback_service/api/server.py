"""Listens for requests until it is stopped."""

import asyncio

from aiohttp import web

from ringback_service.api.readiness import Readiness

_BACKLOG = 1_024
_KEEP_ALIVE_S = 75.0
_LINGER_S = 5.0
"""How long a body that was refused is read and thrown away, so that its sender gets to read the refusal."""


class ApiServer:
    """Serves the front end. ``port`` 0 takes any free one; see ``port`` once ``started`` is set."""

    def __init__(self, app: web.Application, readiness: Readiness, host: str, port: int, *, drain_s: float) -> None:
        """Requests in hand get ``drain_s`` seconds when it stops."""
        self._app = app
        self._readiness = readiness
        self._host = host
        self._port = port
        self._drain_s = drain_s
        self._stopping = asyncio.Event()
        self.started = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._port

    async def run(self) -> None:
        """Listen until ``stop``; then take no new connections, and finish the requests in hand.

        Raises:
            OSError: the address cannot be listened on.
        """
        runner = web.AppRunner(
            self._app,
            access_log=None,  # a line per request costs more than the request; metrics count them
            auto_decompress=False,  # compressed bodies are refused, and must not be unpacked before that
            keepalive_timeout=_KEEP_ALIVE_S,
            lingering_time=_LINGER_S,
            shutdown_timeout=self._drain_s,
        )
        await runner.setup()
        try:
            await self._listen(runner)
            await self._stopping.wait()
            self._readiness.drain()
        finally:
            await runner.cleanup()

    def stop(self) -> None:
        """Stop listening, softly. Safe to call twice, and before ``run``."""
        self._stopping.set()

    async def _listen(self, runner: web.AppRunner) -> None:
        site = web.TCPSite(runner, self._host, self._port, backlog=_BACKLOG)
        await site.start()
        self._port = runner.addresses[0][1]
        self.started.set()
