"""Tenants, their API keys, and the secrets that sign their webhooks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import KeyId, SecretId, TenantId


class Scope(StrEnum):
    """What an API key may do."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_WRITE = "deliveries:write"
    ENDPOINTS_READ = "endpoints:read"
    ENDPOINTS_WRITE = "endpoints:write"
    SECRETS = "secrets"
    METRICS = "metrics"
    ADMIN = "admin"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """A stored tenant."""

    id: TenantId
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """A stored API key: its hash, never the key."""

    id: KeyId
    tenant_id: TenantId
    name: str
    scopes: frozenset[Scope]
    hint: str
    """Its first characters, to tell it by."""
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret that signs webhooks, in clear: masked wherever it is printed."""

    id: SecretId
    secret: str
    """``whsec_`` and base64 of 24 to 64 bytes."""
    created_at: datetime
    expires_at: datetime | None
    """Absent for the newest one; a rotated one signs until then."""

    def __repr__(self) -> str:
        """Shows which secret, not what it is."""
        return f"SigningSecret(id={self.id!r}, secret='whsec_***', expires_at={self.expires_at!r})"
