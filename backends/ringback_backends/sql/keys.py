"""API keys."""

from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.inserting import insert_unless_known
from ringback_backends.sql.rows import from_json, to_json
from ringback_backends.sql.tables import api_keys
from ringback_schemas.ids import KeyId, TenantId
from ringback_schemas.tenants import ApiKeyRecord, Scope


class KeyQueries:
    """Everything about API keys."""

    _database: Database

    async def create_key(
        self, key_id: KeyId, tenant_id: TenantId, name: str, scopes: frozenset[Scope], key_hash: bytes, hint: str
    ) -> ApiKeyRecord:
        """See ``TenantStore.create_key``."""
        row = {
            "id": key_id,
            "tenant_id": tenant_id,
            "name": name,
            "scopes": to_json(sorted(scopes)),
            "key_hash": key_hash,
            "hint": hint,
            "created_at": now(),
        }

        def create(connection: Connection) -> ApiKeyRecord:
            insert_unless_known(connection, api_keys, row)
            return _key(connection.execute(select(api_keys).where(api_keys.c.key_hash == key_hash)).one())

        return await self._database.write("create_key", create)

    async def find_key(self, key_hash: bytes) -> ApiKeyRecord | None:
        """See ``TenantStore.find_key``."""
        query = select(api_keys).where(api_keys.c.key_hash == key_hash)

        def find(connection: Connection) -> ApiKeyRecord | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else _key(row)

        return await self._database.read("find_key", find)

    async def list_keys(self, tenant_id: TenantId) -> list[ApiKeyRecord]:
        """See ``TenantStore.list_keys``."""
        query = select(api_keys).where(api_keys.c.tenant_id == tenant_id)
        query = query.order_by(api_keys.c.created_at, api_keys.c.id)
        return await self._database.read(
            "list_keys", lambda connection: [_key(row) for row in connection.execute(query)]
        )

    async def revoke_key(self, tenant_id: TenantId, key_id: KeyId) -> ApiKeyRecord | None:
        """See ``TenantStore.revoke_key``."""
        mine = and_(api_keys.c.id == key_id, api_keys.c.tenant_id == tenant_id)

        def revoke(connection: Connection) -> ApiKeyRecord | None:
            connection.execute(update(api_keys).where(mine, api_keys.c.revoked_at.is_(None)).values(revoked_at=now()))
            row = connection.execute(select(api_keys).where(mine)).one_or_none()
            return None if row is None else _key(row)

        return await self._database.write("revoke_key", revoke)


def _key(row: Row[Any]) -> ApiKeyRecord:
    return ApiKeyRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        scopes=frozenset(map(Scope, from_json(row.scopes))),
        hint=row.hint,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
