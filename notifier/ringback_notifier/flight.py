"""A delivery under way: what those who have a hand in it know of it."""

import asyncio
from dataclasses import dataclass

from ringback_notifier.roster import AnyLane
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryRef


@dataclass(slots=True, eq=False)
class Flight:
    """A delivery under way."""

    claimed: ClaimedDelivery
    ref: DeliveryRef
    """Which attempt of which delivery."""
    lane: AnyLane
    is_probe: bool
    tries_proxy: bool
    began_at: float
    task: asyncio.Task[None] | None = None
    sent_to: str | None = None
    """The URL, from the first byte on: then nobody can say that the receiver has not got it."""
    is_put_back: bool = False
    """It waits in the store again, as before it was claimed."""
    is_answered: bool = False
    is_slow: bool = False
