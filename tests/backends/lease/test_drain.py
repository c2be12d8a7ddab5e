"""How a process is asked to stop."""

import asyncio
import os
import signal

import pytest

from ringback_backends.lease.drain import Shutdown, StoppedEarly


async def test_first_signal_is_soft_and_the_second_hard() -> None:
    """SIGTERM asks for an orderly stop; whatever comes after it asks for one at once."""
    shutdown = Shutdown()

    with shutdown.on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(shutdown.soft.wait(), 5)
        was_hard = shutdown.hard.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(shutdown.hard.wait(), 5)

    assert not was_hard


async def test_start_is_cancelled_by_a_stop() -> None:
    """What waits while starting, as for a store that is away, is cancelled when a stop is requested."""
    shutdown = Shutdown()
    waiting = asyncio.Event()
    starting = asyncio.create_task(shutdown.unless_stopped(waiting.wait()))

    shutdown.request()

    with pytest.raises(StoppedEarly):
        await starting


async def test_start_that_succeeds_gives_its_result() -> None:
    """Without a stop the result comes through, and so does an error."""

    async def ready() -> int:
        return 42

    assert await Shutdown().unless_stopped(ready()) == 42
