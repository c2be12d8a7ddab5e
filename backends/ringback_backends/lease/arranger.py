"""Goes on where an endpoint was changed with very many deliveries waiting. Runs in every process."""

import time

from ringback_backends.contracts.endpoints import EndpointStore
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.lease.rounds import Rounds

MOST = 10_000
"""Deliveries in one step: less than a second, for which attempts at the endpoint wait to be recorded."""
LEAST = 100


class Arranger(Rounds):
    """Brings what waits to where its endpoint says, in steps. It takes at most half of the time of one connection.

    Endpoints take turns. After a step that the store did not end in time, steps are half as large.
    """

    name = "arranger"

    def __init__(self, store: EndpointStore, *, every_s: float = 2.0) -> None:
        """``every_s`` is how long a change with very many waiting may go unnoticed."""
        super().__init__(every_s)
        self._store = store
        self._last = ""
        self._limit = MOST

    async def round(self) -> bool:
        """One step; True when there may be another."""
        started = time.monotonic()
        try:
            endpoint_id = await self._store.arrange_endpoint(self._last, self._limit)
        except StoreUnavailable:
            self._limit = max(LEAST, self._limit // 2)
            raise
        if endpoint_id is None:
            is_round = self._last != ""
            self._last = ""
            return is_round  # there may be some before the last one
        self._last, self._limit = endpoint_id, min(MOST, self._limit * 2)
        await self.pause(time.monotonic() - started)
        return True
