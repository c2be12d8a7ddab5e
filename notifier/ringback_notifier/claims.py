"""What a notifier claims: the consumer behind its intake. The lanes say what each has room for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_notifier.dispatcher import Dispatcher
from ringback_notifier.endpoint_lane import Limits
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRef, WaitReason
from ringback_schemas.ids import DeliveryId, EndpointId, InstanceId
from ringback_schemas.lane_names import endpoint_of_lane
from ringback_schemas.lanes import LaneClaim

PAGE = 100
"""Lanes with waiting deliveries that are asked for at once."""

AskLimits = Callable[[EndpointId], Awaitable[Limits]]
"""What an endpoint may be sent; raises ``StoreUnavailable``. Answers are a few seconds old at most."""


class Claims:
    """Claims for a dispatcher, lane by lane.

    What has no room is set aside in the store by the very claim that comes upon it. The lane remembers that something
    waits, and says when there is room. What other notifiers set aside, or one that died, is found by asking the store
    for such lanes with every poll. What stands in line is never claimed by its name; its name tells that the line has
    something to give.
    """

    def __init__(self, store: Store, owner: InstanceId, dispatcher: Dispatcher, ask_limits: AskLimits) -> None:
        """To be given to an intake; ``begin`` with what the intake gives."""
        self._store = store
        self._ask_limits = ask_limits
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
        if self._lanes.may_overflow(len(wanted)):
            return await self._noted(await self._store.claim_in_lanes(self._owner, wanted, self._lanes.rooms()))
        claimed = await self._fitting(await self._store.claim_deliveries(self._owner, wanted, len(wanted)))
        if len(claimed) < len(wanted):
            taken = {one.delivery.id for one in claimed}
            await self._look_for_lines([delivery_id for delivery_id in wanted if delivery_id not in taken])
        return claimed

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
            claimed = await self._fitting(claimed)
        elif self._is_more_due:
            claimed = await self._claim_due(limit)
        elif self._after is not None:
            await self._look_for_waiting(self._after)
        if self._lanes.is_ready or self._is_more_due or self._after is not None:
            self._nudge()
        return claimed

    async def _claim_due(self, limit: int) -> Sequence[ClaimedDelivery]:
        claim = await self._store.claim_due_in_lanes(self._owner, limit, self._lanes.rooms())
        # after a full batch the intake polls again by itself
        self._is_more_due = claim.is_more and len(claim.claimed) < limit
        if self._is_more_due:
            self._nudge()
        return await self._noted(claim)

    async def _look_for_waiting(self, after: str) -> None:
        """Look at a page of lanes; the next one when those have been served, to the end of them."""
        found = await self._store.waiting_lanes(after, PAGE) if self._lanes.has_place else []
        self._after = found[-1] if len(found) == PAGE else None
        await self._note_waiting(found)

    async def _look_for_lines(self, unclaimed: Sequence[DeliveryId]) -> None:
        """What was announced and not claimed is somebody else's by now, or stands in line."""
        try:
            lines = await self._store.lines_of(unclaimed[:PAGE])
        except StoreUnavailable:
            # what was claimed beside them must not be forgotten for it; the next poll comes upon them
            return
        await self._note_waiting(lines)

    async def _noted(self, claim: LaneClaim) -> Sequence[ClaimedDelivery]:
        await self._note_waiting(claim.waiting)
        return await self._fitting(claim.claimed)

    async def _note_waiting(self, lanes: Iterable[str]) -> None:
        names = list(lanes)
        await self._learn(names)
        self._lanes.note_waiting(names)

    async def _learn(self, lanes: Iterable[str]) -> None:
        """Tell the lanes of endpoints what their limits are."""
        owned = {name: endpoint_id for name in lanes if (endpoint_id := endpoint_of_lane(name)) is not None}
        if owned:
            await asyncio.gather(*[self._learn_one(name, endpoint_id) for name, endpoint_id in owned.items()])

    async def _learn_one(self, name: str, endpoint_id: EndpointId) -> None:
        try:
            self._lanes.limit(name, await self._ask_limits(endpoint_id))
        except StoreUnavailable:
            # those that were known hold on; without any nothing can be sent anyhow
            return

    async def _fitting(self, claimed: Sequence[ClaimedDelivery]) -> Sequence[ClaimedDelivery]:
        """What has room; the rest is set aside."""
        await self._learn({one.delivery.lane for one in claimed if one.delivery.endpoint_id is not None})
        fitting, rest = self._lanes.sort_out(claimed)
        by_reason: dict[WaitReason, list[ClaimedDelivery]] = {}
        for one in rest:
            by_reason.setdefault(self._lanes.reason(one.delivery.lane), []).append(one)
        for reason, some in by_reason.items():
            refs = [DeliveryRef(one.delivery.id, one.delivery.attempt) for one in some]
            try:
                await self._store.set_aside(self._owner, refs, reason)
            except StoreUnavailable:
                # too many at once are better than some that their owner does not know of, while it lives
                fitting += some
            else:
                self._lanes.note_waiting({one.delivery.lane for one in some})
        return fitting


def _nothing() -> None:
    return
