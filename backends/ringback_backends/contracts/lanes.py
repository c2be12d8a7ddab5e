"""The part of the store's contract by which a notifier takes deliveries lane by lane.

A lane is a destination's, or that of an endpoint that has limits of its own (``ringback_schemas.lane_names``). A
delivery for which its lane has no room is *set aside*: it stays ready and nobody's, with the reason noted, and
``claim_due_deliveries`` and ``claim_due_in_lanes`` do not look at it again, so that a backlog behind one destination
costs the others nothing. It is taken by ``claim_waiting``, or by name. Each is set aside at most once between two
claims.

Deliveries to an endpoint that takes one at a time stand *in line* from their birth to their end, in the order of their
events as far as these are there when one is taken. Only ``claim_waiting`` with a ``hold_s`` hands out what stands in
line, and only its head: what was tried before, else the oldest; nothing while one is sent, wherever that is, or while
the head waits to be tried again. A head that began to be tried ``hold_s`` ago, and is not due, is let go of: it leaves
the line and goes on with its schedule like any retry.
"""

from collections.abc import Sequence
from typing import Protocol

from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRef, WaitReason
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lanes import LaneClaim, LaneRooms, LaneTurn


class LaneStore(Protocol):
    """Hands out deliveries by lane. The rules of ``DeliveryStore`` hold here too."""

    async def claim_in_lanes(
        self, owner: InstanceId, delivery_ids: Sequence[DeliveryId], rooms: LaneRooms
    ) -> LaneClaim:
        """As ``claim_deliveries``, but at most so many for each lane; the rest of the named is set aside.

        ``is_more`` is always False. ``waiting`` names the lanes of those that stand in line, too.
        """

    async def claim_due_in_lanes(self, owner: InstanceId, limit: int, rooms: LaneRooms) -> LaneClaim:
        """As ``claim_due_deliveries``, but at most so many for each lane.

        Looks at a bounded number of due deliveries, the longest overdue first, and sets aside those without room.
        """

    async def claim_waiting(self, owner: InstanceId, turns: Sequence[LaneTurn]) -> list[ClaimedDelivery]:
        """Take what was set aside for these lanes, each named once, in the order that their turns give.

        Among fresh deliveries (``pending``), and among retries, the longest overdue first. Costs nothing for what
        waits beyond the room, nor for other lanes. Of a turn with ``hold_s`` the head of the line comes, or nothing.
        """

    async def set_aside(self, owner: InstanceId, deliveries: Sequence[DeliveryRef], reason: WaitReason) -> list[bool]:
        """Give back what was claimed and not begun, to wait; False for what is not the owner's.

        As if it had not been claimed; what was tried before waits as a retry, though it was redelivered since.
        """

    async def waiting_lanes(self, after: str, limit: int) -> list[str]:
        """Lanes with something set aside or in line, in order, beginning after that one; "" begins with the first."""

    async def lines_of(self, delivery_ids: Sequence[DeliveryId]) -> list[str]:
        """The lanes in which some of these stand in line and wait."""
