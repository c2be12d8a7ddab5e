"""What a notifier claims: the consumer behind its intake. The lanes say what each destination has room for."""

from collections.abc import Callable, Sequence

from ringback_backends.contracts.store import Store
from ringback_notifier.dispatcher import Dispatcher
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lanes import LaneClaim

PAGE = 100
"""Destinations with waiting deliveries that are asked for at once."""


class Claims:
    """Claims for a dispatcher, destination by destination.

    What has no room is set aside in the store by the very claim that comes upon it. The lane remembers that something
    waits, and says when there is room. What other notifiers set aside, or one that died, is found by asking the store
    for such destinations with every poll.
    """

    def __init__(self, store: Store, owner: InstanceId, dispatcher: Dispatcher) -> None:
        """To be given to an intake; ``begin`` with what the intake gives."""
        self._store = store
        self._owner = owner
        self._dispatcher = dispatcher
        self._lanes = dispatcher.lanes
        self._nudge: Callable[[], None] = _nothing
        self._is_more_due = False
        self._after: str | None = None

    def begin(self, nudge: Callable[[], None]) -> None:
        """``nudge`` makes the intake call ``claim_waiting``."""
        self._nudge = nudge
        self._lanes.begin(nudge)

    def room(self) -> int:
        """How many more deliveries may be in flight."""
        return self._dispatcher.room()

    def take(self, claimed: Sequence[ClaimedDelivery], source: str) -> None:
        """Begin with them."""
        self._dispatcher.take(claimed, source)

    async def claim(self, ids: Sequence[str]) -> Sequence[ClaimedDelivery]:
        """Claim those of the ids that are due and have room."""
        wanted = [DeliveryId(text) for text in ids]
        rooms = self._lanes.rooms(len(wanted))
        if rooms is None:
            return await self._store.claim_deliveries(self._owner, wanted, len(wanted))
        return self._noted(await self._store.claim_in_lanes(self._owner, wanted, rooms))

    async def claim_due(self, limit: int) -> Sequence[ClaimedDelivery]:
        """Claim whatever is due and has room."""
        if self._after is None:
            self._after = ""
            self._nudge()
        return await self._claim_due(limit)

    async def claim_waiting(self, limit: int) -> Sequence[ClaimedDelivery]:
        """Claim what waits at lanes with room.

        Without any, what the last poll did not come to for all that it had to set aside, or look where else something
        waits: one step, and a nudge if there is more to do.
        """
        claimed: Sequence[ClaimedDelivery] = ()
        turns = self._lanes.turns(limit)
        if turns:
            claimed = await self._store.claim_waiting(self._owner, turns)
            self._lanes.served(turns, claimed)
        elif self._is_more_due:
            claimed = await self._claim_due(limit)
        elif self._after is not None:
            await self._look_for_waiting(self._after)
        if self._lanes.is_ready or self._is_more_due or self._after is not None:
            self._nudge()
        return claimed

    async def _claim_due(self, limit: int) -> Sequence[ClaimedDelivery]:
        rooms = self._lanes.rooms(limit)
        if rooms is None:
            self._is_more_due = False
            return await self._store.claim_due_deliveries(self._owner, limit)
        claim = await self._store.claim_due_in_lanes(self._owner, limit, rooms)
        # after a full batch the intake polls again by itself
        self._is_more_due = claim.is_more and len(claim.claimed) < limit
        if self._is_more_due:
            self._nudge()
        return self._noted(claim)

    async def _look_for_waiting(self, after: str) -> None:
        """Look at a page of destinations; the next one when those have been served, to the end of them."""
        found = await self._store.waiting_destinations(after, PAGE) if self._lanes.has_place else []
        self._after = found[-1] if len(found) == PAGE else None
        self._lanes.note_waiting(found)

    def _noted(self, claim: LaneClaim) -> Sequence[ClaimedDelivery]:
        self._lanes.note_waiting(claim.waiting)
        return claim.claimed


def _nothing() -> None:
    return
