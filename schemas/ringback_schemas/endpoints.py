"""Registered receivers: where to send which events, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import EndpointId, SecretId, TenantId
from ringback_schemas.tenants import SigningSecret

MAX_ENDPOINTS = 500
"""Endpoints of one tenant: the transaction that ends a job writes a delivery for every one that wants its event."""

MAX_LIVE_SECRETS = 10
"""Secrets that sign at once: every delivery carries a signature of each."""


class SigningScheme(StrEnum):
    """How an endpoint's webhooks are signed."""

    V1 = "v1"
    """HMAC-SHA256, with a secret that both sides have (``whsec_…``)."""
    V1A = "v1a"
    """Ed25519: the receiver needs only the public key (``whpk_…``)."""


class BodyFormat(StrEnum):
    """What an endpoint is sent."""

    STANDARD = "standard"
    """``{"type", "timestamp", "data"}``, as Standard Webhooks has it."""
    CLOUDEVENTS = "cloudevents"
    """A CloudEvent 1.0 in its structured JSON form."""


class Consent(StrEnum):
    """Where the handshake of CloudEvents webhooks stands."""

    NOT_REQUIRED = "not_required"
    PENDING = "pending"
    """Asked for before the next delivery."""
    GRANTED = "granted"
    WITHHELD = "withheld"
    """The last answer granted nothing; asked again before each try."""


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing."""

    REQUESTED = "requested"
    """Somebody asked for it."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It failed for too long."""


Headers = tuple[tuple[str, str], ...]
"""Names in lower case, and values."""


@dataclass(frozen=True, slots=True)
class UnreadableHeaders:
    """In place of headers that are stored, but open with no key that is known, names and all."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What its owner says about an endpoint."""

    url: str
    destination: str
    """``scheme://host:port`` of the URL."""
    event_filter: tuple[str, ...] = ()
    """Event types, ``*`` at the end matching any rest; empty means all."""
    description: str = ""
    headers: Headers | UnreadableHeaders = field(default=(), repr=False)
    """Further request headers. Kept encrypted: they often hold credentials."""
    rate_limit_per_s: float | None = None
    max_in_flight: int | None = None
    timeout_s: float | None = None
    """Absent: what the notifier's settings say; so for the two above."""
    body_format: BodyFormat = BodyFormat.STANDARD
    is_fifo: bool = False
    needs_consent: bool = False


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A signing secret to be stored."""

    id: SecretId
    secret: str = field(repr=False)
    scheme: SigningScheme


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How its deliveries went. Success is known to the minute, so that a busy endpoint is not written to each time."""

    failures_in_row: int = 0
    first_failure_at: datetime | None = None
    """Of that row; absent when the last attempt went well."""
    last_success_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """A stored endpoint; its secrets are kept apart."""

    id: EndpointId
    tenant_id: TenantId
    settings: EndpointSettings
    signing: SigningScheme
    """That of its newest secret."""
    is_enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    consent: Consent
    consent_rate_per_minute: int | None
    """What the receiver allowed when it consented; absent: any rate."""
    health: EndpointHealth
    version: int
    """Counts the changes of its settings: who changes them says which ones it saw."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArmedEndpoint:
    """An endpoint with what sending to it takes."""

    endpoint: EndpointRecord
    headers: Headers = field(repr=False)
    """Those of its settings, which can be read."""
    secrets: tuple[SigningSecret, ...]
    """The live ones, newest first; never empty."""


@dataclass(frozen=True, slots=True)
class UnreadableEndpoint:
    """An endpoint that cannot be sent to, for a secret or its headers cannot be decrypted."""

    endpoint: EndpointRecord
    reason: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies the ``v1a`` signatures of a tenant's endpoints."""

    id: SecretId
    endpoint_id: EndpointId | None
    """Absent for the tenant's own, which signs callbacks."""
    key: str
    """``whpk_…``"""
    created_at: datetime
    expires_at: datetime | None


def wants(event_filter: Sequence[str], event_type: str) -> bool:
    """Whether a filter lets an event type through: one of its patterns matches, or it has none."""
    return not event_filter or any(_matches(pattern, event_type) for pattern in event_filter)


def _matches(pattern: str, event_type: str) -> bool:
    return event_type.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == event_type
