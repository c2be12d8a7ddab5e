"""Looks now and then at how much waits in the store, for the gauges."""

import asyncio
import time
from typing import Protocol

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.instances import InstanceStore
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.tallies import Tallies

EVERY_S = 10.0
WITHIN_S = 2.0


class Samples(Protocol):
    """Where the samples go; telemetry implements it."""

    def on_tally(self, tallies: Tallies, seconds: float) -> None:
        """This is in the store now; asking took so long."""


class Sampler(Rounds):
    """Samples the store; a sample that fails or takes too long is left out, and its age tells."""

    name = "sampler"

    def __init__(self, store: InstanceStore, observer: Samples, *, every_s: float = EVERY_S) -> None:
        """``every_s`` is far above what a sample costs."""
        super().__init__(every_s)
        self._store = store
        self._observer = observer

    async def round(self) -> bool:
        """Take one sample."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(WITHIN_S):
                tallies = await self._store.tally()
        except TimeoutError as error:
            raise StoreUnavailable("tally", f"no answer within {WITHIN_S:g} s") from error
        self._observer.on_tally(tallies, time.perf_counter() - started)
        return False
