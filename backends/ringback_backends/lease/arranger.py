"""Goes on where an endpoint was changed with very many deliveries waiting. Runs in every process."""

import time

from ringback_backends.contracts.endpoints import EndpointStore
from ringback_backends.lease.rounds import Rounds


class Arranger(Rounds):
    """Brings what waits to where its endpoint says, in steps. It takes at most half of the time of one connection."""

    name = "arranger"

    def __init__(self, store: EndpointStore, *, every_s: float = 2.0) -> None:
        """``every_s`` is how long a change with very many waiting may go unnoticed."""
        super().__init__(every_s)
        self._store = store

    async def round(self) -> bool:
        """One step; True when there may be another."""
        started = time.monotonic()
        if not await self._store.arrange_endpoints():
            return False
        await self.pause(time.monotonic() - started)
        return True
