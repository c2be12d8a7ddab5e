"""The part of the store's contract by which a notifier takes deliveries lane by lane.

A delivery for which its destination has no room is *set aside*: it stays ready and nobody's, with the reason noted, and
``claim_due_deliveries`` and ``claim_due_in_lanes`` do not look at it again, so that a backlog behind one destination
costs the others nothing. It is taken by ``claim_waiting``, or by name. Each is set aside at most once between two
claims.
"""

from collections.abc import Sequence
from typing import Protocol

from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRef, WaitReason
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lanes import LaneClaim, LaneRooms, LaneTurn


class LaneStore(Protocol):
    """Hands out deliveries by destination. The rules of ``DeliveryStore`` hold here too."""

    async def claim_in_lanes(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], rooms: LaneRooms
    ) -> LaneClaim:
        """As ``claim_deliveries``, but at most so many for each destination; the rest of the named is set aside.

        ``is_more`` is always False.
        """

    async def claim_due_in_lanes(self, owner: InstanceId, limit: int, rooms: LaneRooms) -> LaneClaim:
        """As ``claim_due_deliveries``, but at most so many for each destination.

        Looks at a bounded number of due deliveries, the longest overdue first, and sets aside those without room.
        """

    async def claim_waiting(self, owner: InstanceId, turns: Sequence[LaneTurn]) -> list[ClaimedDelivery]:
        """Take what was set aside for these destinations, each named once, in the order that their turns give.

        Among fresh deliveries (``pending``), and among retries, the longest overdue first. Costs nothing for what
        waits beyond the room, nor for other destinations.
        """

    async def set_aside(self, owner: InstanceId, deliveries: Sequence[DeliveryRef], reason: WaitReason) -> list[bool]:
        """Give back what was claimed and not begun, as it was before, to wait; False for what is not the owner's."""

    async def waiting_destinations(self, after: str, limit: int) -> list[str]:
        """Destinations with something set aside, in order, beginning after that one; "" begins with the first."""
