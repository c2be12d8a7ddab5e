"""The audit log: who did what to secrets, keys and endpoints, and who had many webhooks sent again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import AuditId, TenantId

CLI_ACTOR = "cli"
"""Whoever works on the store itself, by commands: no API key says who that is."""

BOOTSTRAP_ACTOR = "bootstrap"
"""A front end that makes the key of its settings."""


class AuditAction(StrEnum):
    """What is on record: written before it is done, so that nothing happens unseen, though some of it then fails."""

    SECRET_READ = "secret.read"  # noqa: S105 - a name
    SECRET_ROTATED = "secret.rotated"  # noqa: S105 - a name
    ENDPOINT_CREATED = "endpoint.created"
    ENDPOINT_UPDATED = "endpoint.updated"
    ENDPOINT_DELETED = "endpoint.deleted"
    ENDPOINT_ENABLED = "endpoint.enabled"
    ENDPOINT_DISABLED = "endpoint.disabled"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    TENANT_CREATED = "tenant.created"
    REPLAY_CREATED = "replay.created"
    REPLAY_CANCELLED = "replay.cancelled"


@dataclass(frozen=True, slots=True)
class NewAuditEntry:
    """Something that is about to be done."""

    id: AuditId
    tenant_id: TenantId
    """Whose things are touched."""
    actor: str
    """The id of the API key that asked, ``CLI_ACTOR`` or ``BOOTSTRAP_ACTOR``."""
    action: AuditAction
    target: str
    """The id of what is touched."""
    detail: Mapping[str, str] = field(default_factory=dict)
    """What else there is to know; never a secret."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What stands in the log."""

    id: AuditId
    tenant_id: TenantId
    actor: str
    action: str
    """A text: a later program may have written it."""
    target: str
    detail: Mapping[str, str]
    at: datetime
