"""A part of a process that runs while a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol


class Part(Protocol):
    """What a composition root runs, and stops softly."""

    async def run(self) -> None:
        """Work until told to stop."""

    def stop(self) -> None:
        """Ask it to end what it began, and no more."""


@asynccontextmanager
async def running(part: Part, name: str) -> AsyncIterator[None]:
    """It runs while inside, and is stopped softly at the end; what the test raises ends it at once."""
    task = asyncio.create_task(part.run(), name=name)
    try:
        yield
        part.stop()
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
