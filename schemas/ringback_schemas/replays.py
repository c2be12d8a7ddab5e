"""Replays: many deliveries of a tenant, chosen by a filter, sent again in the background."""

from dataclasses import dataclass
from datetime import datetime

from ringback_schemas.ids import DeliveryId, EndpointId, ReplayId, TenantId
from ringback_schemas.states import DeliveryState, ReplayState

MAX_OPEN_REPLAYS = 10
"""Replays of one tenant that wait or run: more would only send the same things again."""


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """Which deliveries to send again: those that meet all of it."""

    states: tuple[DeliveryState, ...] = (DeliveryState.EXHAUSTED,)
    """Any of these, all of them among ``DELIVERY_REDELIVERABLE``; never empty."""
    event_types: tuple[str, ...] = ()
    """As ``EndpointSettings.event_filter``."""
    endpoint_id: EndpointId | None = None
    url: str | None = None
    """Exactly as deliveries have it."""
    destination: str | None = None
    """``scheme://host:port``"""
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewReplay:
    """A replay to be stored."""

    id: ReplayId
    tenant_id: TenantId
    filter: ReplayFilter
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ReplaySkips:
    """How many of the matched deliveries were not sent again, by reason."""

    changed: int = 0
    """It left the filter's states after it was counted: it is being sent, or somebody had it sent again."""
    endpoint_disabled: int = 0
    endpoint_gone: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.changed + self.endpoint_disabled + self.endpoint_gone


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """A stored replay.

    Once it is done, ``matched == redelivered + skipped.total``, unless it is a dry run.
    """

    id: ReplayId
    tenant_id: TenantId
    filter: ReplayFilter
    is_dry_run: bool
    state: ReplayState
    is_counted: bool
    """Whether ``matched`` is final; until then it grows, and nothing is sent."""
    matched: int
    redelivered: int
    """0 to the end in a dry run."""
    skipped: ReplaySkips
    """Of a dry run: how many a real one would skip now."""
    created_at: datetime
    """Deliveries that came into being, or into their state, after that are not meant."""
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayPace:
    """How much of a replay is done at once, and when there is room for it."""

    chunk: int = 500
    """Most deliveries made due in one transaction."""
    window: int = 2_000
    """Most deliveries looked at in one transaction."""
    most_due: int = 2_000
    """Nothing is made due while so many deliveries wait to be sent at once already."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """What one transaction did for a replay."""

    replay: ReplayRecord
    """As it is after that."""
    redelivered: tuple[DeliveryId, ...]
    """What is due now."""
