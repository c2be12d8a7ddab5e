"""Deliveries: one event for one receiver, and the attempts to bring it there."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import DeliveryId, EndpointId, EventId, InstanceId, JobId, TenantId
from ringback_schemas.lane_names import destination_of_lane
from ringback_schemas.states import DeliveryState


class DeliveryKind(StrEnum):
    """Whose secret signs it: the tenant's for a job's own callback, the endpoint's for a registered receiver."""

    CALLBACK = "callback"
    ENDPOINT = "endpoint"


class Verdict(StrEnum):
    """What one attempt came to. Each has a sentence in docs/operations.md."""

    DELIVERED = "delivered"
    GONE = "gone"
    REDIRECT = "redirect"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    DNS_ERROR = "dns_error"
    REFUSED_ADDRESS = "refused_address"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_ERROR = "connect_error"
    TLS_ERROR = "tls_error"
    RESET = "reset"
    PREMATURE_EOF = "premature_eof"
    BAD_RESPONSE = "bad_response"
    NO_CONSENT = "no_consent"
    PROXY_FAILED = "proxy_failed"
    UNSIGNED = "unsigned"
    NOTIFIER_LOST = "notifier_lost"
    POISON = "poison"


OUR_FAULTS = frozenset({Verdict.PROXY_FAILED, Verdict.UNSIGNED})
"""Attempts that came to nothing on our side: they say nothing of their receiver."""


class WaitReason(StrEnum):
    """Why a delivery that is due waits at its lane, as of when it was set aside."""

    CIRCUIT = "circuit"
    """The destination failed too often and is only probed."""
    IN_FLIGHT = "in_flight"
    """As many are being sent there as may be at once."""
    RATE = "rate"
    """As many were sent there as may be in a second."""
    FIFO = "fifo"
    """Its endpoint takes one at a time, in the order of events, and others come before it."""
    ENDPOINT_DISABLED = "endpoint_disabled"
    """It is parked: its endpoint is disabled, and it goes on when that is enabled."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be stored with its event; due at once."""

    id: DeliveryId
    kind: DeliveryKind
    url: str
    destination: str
    """``scheme://host:port``: what isolation goes by. An endpoint may have a lane of its own there (``lane_names``)."""
    endpoint_id: EndpointId | None = None


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A stored delivery."""

    id: DeliveryId
    tenant_id: TenantId
    event_id: EventId
    event_type: str
    job_id: JobId | None
    """Absent for an event of no job."""
    kind: DeliveryKind
    endpoint_id: EndpointId | None
    url: str
    lane: str
    """What limits it goes by: its destination, or its endpoint's own (``lane_names``)."""
    state: DeliveryState
    attempt: int
    """How often it was claimed; numbers its attempts from 1 and fences together with ``owner``."""
    tries: int
    """Recorded attempts since the schedule last began: 0 at first, and again after a redelivery was asked for.

    Those that came to nothing for the sake of our own proxy do not count.
    """
    created_at: datetime
    next_attempt_at: datetime | None
    """Absent once it is done."""
    finished_at: datetime | None
    owner: InstanceId | None
    waits_for: WaitReason | None = None
    """Why it waits although it is due; absent for most."""

    @property
    def destination(self) -> str:
        """``scheme://host:port``."""
        return destination_of_lane(self.lane)


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery that this instance now owns, and what to send."""

    delivery: DeliveryRecord
    body: bytes
    job_created_at: datetime
    """When the job was accepted: the road's latency counts from here."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of an attempt went, in seconds; a phase that was not reached is absent."""

    total_s: float
    dns_s: float | None = None
    connect_s: float | None = None
    """TCP; through a proxy, up to its tunnel."""
    first_byte_s: float | None = None
    tls_s: float | None = None


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One POST, or the attempt at one."""

    attempt: int
    started_at: datetime
    timing: Timing
    verdict: Verdict
    reason: str
    """One sentence for people: what happened, and what follows."""
    status: int | None = None
    remote_address: str | None = None
    response_prefix: bytes = b""
    next_attempt_at: datetime | None = None
    """When the next one is due; absent when there is none. Set by the store."""


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """What the store shall record for one attempt; fenced unless the delivery has this owner and attempt."""

    delivery_id: DeliveryId
    owner: InstanceId
    attempt: DeliveryAttempt
    state: DeliveryState
    """``delivered``, ``retrying`` or ``exhausted``."""
    retry_in_s: float = 0.0
    """Only for ``retrying``: seconds from now, by the database's clock."""
    endpoint_id: EndpointId | None = None
    """The delivery's own."""
    is_operational: bool = False
    """Whether its event is an operational one: then it says nothing of its endpoint, and its end is told to nobody."""


@dataclass(frozen=True, slots=True)
class DeliveryRef:
    """One attempt of one delivery."""

    delivery_id: DeliveryId
    attempt: int


@dataclass(frozen=True, slots=True)
class DeliveryDetail:
    """A stored delivery with its attempts, oldest first."""

    delivery: DeliveryRecord
    attempts: tuple[DeliveryAttempt, ...]
