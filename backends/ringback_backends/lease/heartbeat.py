"""The heart of a process: says in the store that it lives, whatever its event loop is busy with.

It beats in a thread of its own with its own loop and its own connection, so a task that blocks the loop for two
minutes does not look dead. A process that could not beat for longer than a lease (suspended, cut off) has lost its
claims to the rescuers; its late results are fenced by the store, so nothing needs to be done about it here.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

import structlog

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.instances import InstanceStore
from ringback_backends.lease.outages import Outage
from ringback_schemas.instances import NewInstance

StoreFactory = Callable[[], AbstractAsyncContextManager[InstanceStore]]
"""Opens a store for the thread's own loop; called in that thread."""

RETRY_S = 1.0
"""Pause after a beat that failed: short, for after an outage of the store all processes must beat before any of them
rescues (see ``rescuer``)."""

LEAVE_WITHIN_S = 5.0

log = structlog.get_logger(__name__)


class Heartbeat:
    """Beats from ``__aenter__``, which returns after the first beat, to ``__aexit__``, which leaves.

    The first beat must precede the first claim: rescuers take what belongs to an instance that is not registered.
    While the store is away, entering waits; cancel it to give up.
    """

    def __init__(self, instance: NewInstance, open_store: StoreFactory, *, interval_s: float = 5.0) -> None:
        """``interval_s`` is also the deadline of one beat."""
        self._instance = instance
        self._open_store = open_store
        self._interval_s = interval_s
        self._last_beat = -math.inf
        self._outage = Outage()
        self._is_draining = False
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> Self:
        """Start the thread; returns after the first beat.

        Raises:
            RingbackError: the store cannot be used at all, as with a schema that is not ours.
        """
        loop = asyncio.get_running_loop()
        self._registered: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(target=self._main, args=(loop,), name="heartbeat", daemon=True)
        self._thread.start()
        try:
            await asyncio.wait({self._registered, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._stop()
            raise
        if self._ended.done():
            self._ended.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the store's list of instances, within a bounded time, and end the thread."""
        await self._stop()

    async def watch(self) -> None:
        """Return when the heart stopped in good order; raise what stopped it otherwise. One of a process's loops."""
        await asyncio.shield(self._ended)

    def drain(self) -> None:
        """Tell the others at once that this process takes nothing new. Safe to call twice."""
        self._is_draining = True
        self._nudge()

    @property
    def age_s(self) -> float:
        """Seconds since the last beat that the store took; endless before the first."""
        return _now() - self._last_beat

    async def _stop(self) -> None:
        self._is_stopping = True
        self._nudge()
        await asyncio.wait({self._ended}, timeout=LEAVE_WITHIN_S + self._interval_s)

    def _nudge(self) -> None:
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(wake.set)
            except RuntimeError:
                return  # it closed in between: the thread has ended

    # Everything below runs in the thread.

    def _main(self, owner: asyncio.AbstractEventLoop) -> None:
        try:
            asyncio.run(self._live(owner))
        except Exception as error:  # noqa: BLE001 - not handled here: whoever watches gets it, in its own loop
            _settle(owner, self._ended, error)
        else:
            _settle(owner, self._ended)

    async def _live(self, owner: asyncio.AbstractEventLoop) -> None:
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with self._open_store() as store:
            while not self._is_stopping:
                self._wake.clear()
                if await self._beat(store):
                    _settle(owner, self._registered)
                    await self._sleep(self._interval_s)
                else:
                    await self._sleep(min(RETRY_S, self._interval_s) * random.uniform(0.5, 1))  # noqa: S311 - jitter
            await self._leave(store)

    async def _beat(self, store: InstanceStore) -> bool:
        try:
            async with asyncio.timeout(self._interval_s):
                await store.beat(self._instance, is_draining=self._is_draining)
        except (StoreUnavailable, TimeoutError) as error:
            if self._outage.is_news(error.remedy if isinstance(error, StoreUnavailable) else ""):
                log.warning("heartbeat_missed", instance_id=self._instance.id, reason=str(error) or "too slow")
            return False
        self._last_beat = _now()
        after_s = self._outage.over()
        if after_s is not None:
            log.info("heartbeat_resumed", instance_id=self._instance.id, after_s=round(after_s, 1))
        return True

    async def _leave(self, store: InstanceStore) -> None:
        """A process that cannot say goodbye is taken for dead a lease later: the same, only slower."""
        try:
            async with asyncio.timeout(LEAVE_WITHIN_S):
                await store.leave(self._instance.id)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("leave_failed", instance_id=self._instance.id, reason=str(error) or "too slow")

    async def _sleep(self, seconds: float) -> None:
        if self._wake is None or self._is_stopping:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


def _now() -> float:
    """Seconds by a clock that goes on while the machine sleeps, as the database's does: Linux's monotonic one stops."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _settle(owner: asyncio.AbstractEventLoop, future: asyncio.Future[None], error: Exception | None = None) -> None:
    """Settle a future of another loop, unless that loop is gone."""

    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    if not owner.is_closed():
        owner.call_soon_threadsafe(settle)
