"""What came of one POST, as data: what the sender hands to the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ringback_schemas.deliveries import Timing, Verdict


@dataclass(frozen=True, slots=True)
class Answered:
    """The receiver answered, and its answer ended or was long enough."""

    status: int
    retry_after: str | None = None
    location: str | None = None
    prefix: bytes = b""
    """The first bytes of the body, as they came off the wire."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """All of them; names in any case."""


@dataclass(frozen=True, slots=True)
class Failed:
    """There was no answer, or not a whole one."""

    verdict: Verdict
    words: str
    """What happened, in a few words that a reason can begin with."""
    status: int | None = None
    """When it was known before things went wrong."""
    is_proxy_down: bool = False
    """It was our own proxy, and nothing else would get through it either."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One POST, or the attempt at one."""

    reply: Answered | Failed
    started_at: datetime
    timing: Timing
    remote_address: str | None = None
