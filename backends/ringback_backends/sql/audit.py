"""The audit log."""

import orjson
from sqlalchemy import insert, select

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.listing import newest_first
from ringback_backends.sql.tables import audit_log
from ringback_schemas.audit import AuditEntry, NewAuditEntry
from ringback_schemas.ids import AuditId, TenantId


class AuditQueries:
    """Everything about the audit log."""

    _database: Database

    async def audit(self, entry: NewAuditEntry) -> None:
        """See ``AuditStore.audit``."""
        row = {
            "tenant_id": entry.tenant_id,
            "id": entry.id,
            "actor": entry.actor,
            "action": entry.action.value,
            "target": entry.target,
            "detail": orjson.dumps(dict(entry.detail)).decode(),
            "at": now(),
        }
        statement = insert(audit_log).values(row)
        await self._database.write("audit", lambda connection: connection.execute(statement).close())

    async def list_audit(self, tenant_id: TenantId, before: AuditId | None, limit: int) -> list[AuditEntry]:
        """See ``AuditStore.list_audit``."""
        mine = select(audit_log).where(audit_log.c.tenant_id == tenant_id)
        query = newest_first(mine, audit_log.c.id, before, limit)
        return await self._database.read(
            "list_audit",
            lambda connection: [
                AuditEntry(row.id, row.tenant_id, row.actor, row.action, row.target, orjson.loads(row.detail), row.at)
                for row in connection.execute(query)
            ],
        )
