"""How a process is asked to stop: a first signal softly, a second one at once."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import structlog

from ringback_schemas.errors import RingbackError

SIGNALS = (signal.SIGTERM, signal.SIGINT)

T = TypeVar("T")

log = structlog.get_logger(__name__)


class StoppedEarly(RingbackError):
    """A stop was requested before the process was up."""

    def __init__(self) -> None:
        super().__init__("stopped before it was ready")


class Shutdown:
    """Two stages: ``soft`` (take nothing new, finish what is in hand) and ``hard`` (give back what is in hand, now)."""

    def __init__(self) -> None:
        self.soft = asyncio.Event()
        self.hard = asyncio.Event()

    def request(self) -> None:
        """Go one stage further. Safe to call more often."""
        stage = self.hard if self.soft.is_set() else self.soft
        log.info("stopping", how="now" if stage is self.hard else "softly")
        stage.set()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT request it, while inside. Only in the main thread's loop."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.request)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of some part of starting, which may wait for a store that is away.

        Raises:
            StoppedEarly: a stop was requested first; the work was cancelled.
        """
        task = asyncio.create_task(work, name="starting")
        soft = asyncio.create_task(self.soft.wait(), name="stop while starting")
        try:
            await asyncio.wait({task, soft}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            soft.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        raise StoppedEarly


def leave_at_once(exit_code: int) -> NoReturn:
    """End the process without waiting for anything that still runs in it.

    For when a task ignores its cancellation: the event loop waits for each of its tasks before it closes, so such a
    task would keep a stopped process alive for as long as it likes.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
