"""What follows when jobs were ended: their deliveries are announced."""

from collections.abc import Sequence

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_schemas.jobs import JobOutcome


def announce_endings(announcer: Announcer, outcomes: Sequence[JobOutcome], recorded: Sequence[bool]) -> int:
    """Announce the deliveries of those outcomes that the store recorded; how many outcomes these are."""
    kept = [outcome for outcome, is_recorded in zip(outcomes, recorded, strict=True) if is_recorded]
    ids = [delivery.id for outcome in kept if outcome.event for delivery in outcome.event.deliveries]
    if ids:
        announcer.announce(DELIVERIES, ids)
    return len(kept)
