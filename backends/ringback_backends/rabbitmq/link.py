"""The supervisor of one connection: makes it, watches it, makes it again."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from ringback_backends.broker_observer import BrokerObserver
from ringback_backends.contracts.errors import BrokerMisfit
from ringback_backends.rabbitmq.errors import DRIVER_ERRORS, ConnectionLost, explain
from ringback_backends.rabbitmq.health import Health
from ringback_backends.rabbitmq.line import Line
from ringback_backends.rabbitmq.pacing import MISFIT_S, jittered_pause

LOOK_EVERY_S = 1.0
PROBE_EVERY_LOOKS = 5
STEADY_S = 5.0
"""A connection that lasted so long was no failure."""

log = structlog.get_logger(__name__)

Prepare = Callable[[Line], Awaitable[None]]


class Link:
    """Keeps one connection for one purpose. ``run`` it as a task; cancel that to end it."""

    def __init__(self, url: str, role: str, health: Health, observer: BrokerObserver, prepare: Prepare) -> None:
        """``prepare`` is done on each new connection before anybody else gets it."""
        self._url = url
        self.role = role
        self._health = health
        self._observer = observer
        self._prepare = prepare
        self._line: Line | None = None
        self._is_up = asyncio.Event()
        self._failures = 0
        self._was_up = False
        self.first_try = asyncio.Event()
        """Set when the first connection stands or has failed."""
        self.misfit: BrokerMisfit | None = None
        """Why the server cannot be used, when that is so."""
        health.trouble(role, "connecting")

    @property
    def line(self) -> Line | None:
        """The connection, while there is one."""
        return self._line if self._line is not None and not self._line.is_lost else None

    async def up(self) -> Line:
        """The connection, as soon as there is one."""
        while (line := self.line) is None:
            self._is_up.clear()
            await self._is_up.wait()
        return line

    async def another(self) -> Line:
        """A connection of the caller's own, to the same server; to be closed by it."""
        return await Line.connect(self._url, f"ringback {self.role}, apart")

    async def run(self) -> None:
        """Connect, and again, for ever."""
        while True:
            pause_s = await self._one_connection()
            self.first_try.set()
            await asyncio.sleep(pause_s)

    async def _one_connection(self) -> float:
        """One connection from its beginning to its end; how many seconds to wait before the next."""
        try:
            line = await Line.connect(self._url, f"ringback {self.role}")
            try:
                await self._prepare(line)
                await self._keep(line)
            finally:
                self._line = None
                await line.close()
        except BrokerMisfit as misfit:
            self.misfit = misfit
            self._trouble(str(misfit))
            return MISFIT_S
        except DRIVER_ERRORS as error:
            self._trouble(explain(error))
        return jittered_pause(self._failures)

    async def _keep(self, line: Line) -> None:
        """Lend the connection out until it is lost."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        self._welcome(line)
        try:
            await self._watch(line)
        finally:
            if loop.time() - began_at >= STEADY_S:
                self._failures = 0
            self._health.blocked(self.role, is_blocked=False)

    def _welcome(self, line: Line) -> None:
        self._line, self.misfit = line, None
        self._health.well(self.role)
        log.info("broker_connected", role=self.role)
        if self._was_up:
            self._observer.on_reconnect(self.role)
        self._was_up = True
        self._is_up.set()
        self.first_try.set()

    async def _watch(self, line: Line) -> None:
        looks = 0
        while not await _set_within(line.lost, LOOK_EVERY_S):
            looks += 1
            is_blocked = line.is_blocked
            self._health.blocked(self.role, is_blocked=is_blocked)
            # a blocked connection is not read by the server, so it would answer nothing
            if looks % PROBE_EVERY_LOOKS == 0 and not is_blocked:
                await self._probe(line)
        raise ConnectionLost(explain(line.reason)) from line.reason

    async def _probe(self, line: Line) -> None:
        """Heartbeats take half a minute to notice a link that swallows everything; a question takes ten seconds."""
        try:
            await line.probe()
        except TimeoutError:
            if not line.is_blocked:
                line.cut()
                raise

    def _trouble(self, reason: str) -> None:
        self._failures += 1
        self._health.trouble(self.role, reason)
        if self._failures == 1:
            log.warning("broker_connection_lost", role=self.role, reason=reason)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event was set before so many seconds went by."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
