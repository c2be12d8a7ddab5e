"""Registered receivers."""

from dataclasses import dataclass
from datetime import datetime

from ringback_schemas.ids import EndpointId, TenantId


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    """A stored receiver: where to send which events. Its secrets are kept apart, encrypted."""

    id: EndpointId
    tenant_id: TenantId
    url: str
    event_filter: tuple[str, ...]
    """Event types, ``*`` at the end matching any rest; empty means all."""
    description: str
    is_enabled: bool
    created_at: datetime
