"""How a process is asked to stop: a first signal softly, a second one at once."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger(__name__)


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
