"""What follows when jobs were ended: their deliveries are announced."""

from collections.abc import Sequence

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.jobs import Recorded


def announce_endings(announcer: Announcer, recorded: Sequence[Recorded]) -> int:
    """Announce the deliveries of what the store recorded; how many outcomes these are."""
    kept = [ids for ids in recorded if ids is not None]
    if any(kept):
        announcer.announce(DELIVERIES, [delivery_id for ids in kept for delivery_id in ids])
    return len(kept)
