"""The part of the store's contract that keeps the audit log."""

from typing import Protocol

from ringback_schemas.audit import AuditEntry, NewAuditEntry
from ringback_schemas.ids import AuditId, TenantId


class AuditStore(Protocol):
    """Remembers who did what. Entries are only ever added, and purged in time."""

    async def audit(self, entry: NewAuditEntry) -> None:
        """Store an entry; it is committed when this returns."""

    async def list_audit(self, tenant_id: TenantId, before: AuditId | None, limit: int) -> list[AuditEntry]:
        """Newest first, beginning after ``before``."""
