"""Lanes: what a notifier may take for each, and why the rest waits. How it decides is the notifier's.

A lane is a destination's, or that of an endpoint with limits of its own (``lane_names``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ringback_schemas.deliveries import ClaimedDelivery, WaitReason


class Circuit(StrEnum):
    """Whether a destination is sent to."""

    CLOSED = "closed"
    """As usual."""
    OPEN = "open"
    """It failed too often: nothing is sent for a while."""
    HALF_OPEN = "half_open"
    """One delivery may try it."""


@dataclass(frozen=True, slots=True)
class LaneRoom:
    """How many deliveries a claim may take for one lane."""

    lane: str
    room: int
    """May be 0."""
    reason: WaitReason
    """Why those beyond it wait."""


@dataclass(frozen=True, slots=True)
class LaneRooms:
    """How many deliveries a claim may take for each lane."""

    others: int
    """For each lane that is not named; at least 1."""
    named: Sequence[LaneRoom] = ()


@dataclass(frozen=True, slots=True)
class LaneTurn:
    """How many of a lane's waiting deliveries are asked for."""

    lane: str
    room: int
    """At least 1."""
    retries: int
    """Retries that go before fresh deliveries; the rest is fresh ones first, then retries."""
    hold_s: float | None = None
    """For an endpoint that takes one at a time: how long a delivery that fails may hold up those behind it."""


@dataclass(frozen=True, slots=True)
class LaneClaim:
    """What a claim came to."""

    claimed: Sequence[ClaimedDelivery]
    waiting: frozenset[str]
    """Lanes with deliveries among those looked at that have to wait."""
    is_more: bool
    """Whether what is due was not looked at to its end."""
