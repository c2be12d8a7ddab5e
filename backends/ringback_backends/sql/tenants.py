"""Tenants and the secrets that sign their webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from ringback.webhooks import new_secret
from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.inserting import insert_unless_known
from ringback_backends.sql.signing import SecretBox, add_secret, end_secrets, live_secrets, owned_by
from ringback_backends.sql.tables import tenants
from ringback_schemas.endpoints import NewSecret, SigningScheme
from ringback_schemas.ids import TenantId, new_secret_id
from ringback_schemas.tenants import SigningSecret, TenantRecord


class TenantQueries:
    """Everything about tenants but their keys."""

    _database: Database
    _secret_box: SecretBox

    async def create_tenant(self, tenant_id: TenantId, name: str) -> TenantRecord:
        """See ``TenantStore.create_tenant``."""
        first = NewSecret(new_secret_id(), new_secret(), SigningScheme.V1)

        def create(connection: Connection) -> TenantRecord:
            row = {"id": tenant_id, "name": name, "created_at": now()}
            if insert_unless_known(connection, tenants, row):
                add_secret(connection, self._secret_box, tenant_id, None, first)
            return _tenant(connection.execute(select(tenants).where(tenants.c.id == tenant_id)).one())

        return await self._database.write("create_tenant", create)

    async def get_tenant(self, tenant_id: TenantId) -> TenantRecord | None:
        """See ``TenantStore.get_tenant``."""
        query = select(tenants).where(tenants.c.id == tenant_id)

        def get(connection: Connection) -> TenantRecord | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else _tenant(row)

        return await self._database.read("get_tenant", get)

    async def list_tenants(self) -> list[TenantRecord]:
        """See ``TenantStore.list_tenants``."""
        query = select(tenants).order_by(tenants.c.created_at, tenants.c.id)
        return await self._database.read(
            "list_tenants", lambda connection: [_tenant(row) for row in connection.execute(query)]
        )

    async def signing_secrets(self, tenant_id: TenantId) -> Sequence[SigningSecret]:
        """See ``TenantStore.signing_secrets``."""
        owned = owned_by(tenant_id, None)
        return await self._database.read(
            "signing_secrets", lambda connection: live_secrets(connection, self._secret_box, owned)
        )

    async def rotate_signing_secret(
        self, tenant_id: TenantId, secret: NewSecret, old_expire_at: datetime
    ) -> Sequence[SigningSecret]:
        """See ``TenantStore.rotate_signing_secret``."""
        owned = owned_by(tenant_id, None)

        def rotate(connection: Connection) -> Sequence[SigningSecret]:
            # two rotations at once would each leave the other's secret without an end
            connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
            end_secrets(connection, owned, old_expire_at)
            add_secret(connection, self._secret_box, tenant_id, None, secret)
            return live_secrets(connection, self._secret_box, owned)

        return await self._database.write("rotate_signing_secret", rotate)


def _tenant(row: Row[Any]) -> TenantRecord:
    return TenantRecord(row.id, row.name, row.created_at)
