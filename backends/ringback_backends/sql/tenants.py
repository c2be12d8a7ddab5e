"""Tenants and the secrets that sign their webhooks."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, update

from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.inserting import insert_unless_known
from ringback_backends.sql.tables import signing_secrets, tenants
from ringback_schemas.ids import SecretId, TenantId, new_id
from ringback_schemas.tenants import SigningSecret, TenantRecord

SECRET_BYTES = 32
"""Of randomness in a first secret; Standard Webhooks wants 24 to 64."""


class SecretBox(Protocol):
    """Encrypts what must not be read in the database."""

    def seal(self, plain: bytes, /) -> bytes:
        """Encrypted with the newest key."""

    def open(self, sealed: bytes, /) -> bytes:
        """What was sealed, with any key that is still known."""


class TenantQueries:
    """Everything about tenants but their keys."""

    _database: Database
    _secret_box: SecretBox

    async def create_tenant(self, tenant_id: TenantId, name: str) -> TenantRecord:
        """See ``TenantStore.create_tenant``."""
        first = "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()

        def create(connection: Connection) -> TenantRecord:
            row = {"id": tenant_id, "name": name, "created_at": now()}
            if insert_unless_known(connection, tenants, row):
                self._add_secret(connection, tenant_id, SecretId(new_id("sec")), first)
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
        return await self._database.read("signing_secrets", lambda connection: self._live(connection, tenant_id))

    async def rotate_signing_secret(
        self, tenant_id: TenantId, secret_id: SecretId, secret: str, old_expire_at: datetime
    ) -> Sequence[SigningSecret]:
        """See ``TenantStore.rotate_signing_secret``."""
        lasting = or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > old_expire_at)
        end = update(signing_secrets).where(_own(tenant_id), lasting).values(expires_at=old_expire_at)

        def rotate(connection: Connection) -> Sequence[SigningSecret]:
            # two rotations at once would each leave the other's secret without an end
            connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
            connection.execute(end)
            self._add_secret(connection, tenant_id, secret_id, secret)
            return self._live(connection, tenant_id)

        return await self._database.write("rotate_signing_secret", rotate)

    def _add_secret(self, connection: Connection, tenant_id: TenantId, secret_id: SecretId, secret: str) -> None:
        sealed = self._secret_box.seal(secret.encode())
        row = {"id": secret_id, "tenant_id": tenant_id, "sealed": sealed, "created_at": now()}
        connection.execute(insert(signing_secrets).values(row))

    def _live(self, connection: Connection, tenant_id: TenantId) -> list[SigningSecret]:
        """Newest first: the one that has no end, then by end, for those made in the same instant."""
        lives = or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > now())
        query = select(signing_secrets).where(_own(tenant_id), lives)
        newest_first = (signing_secrets.c.created_at.desc(), signing_secrets.c.expires_at.is_not(None))
        return [
            SigningSecret(row.id, self._secret_box.open(row.sealed).decode(), row.created_at, row.expires_at)
            for row in connection.execute(query.order_by(*newest_first))
        ]


def _own(tenant_id: TenantId) -> ColumnElement[bool]:
    """The tenant's own secrets, which sign callbacks; an endpoint's are its own."""
    return and_(signing_secrets.c.tenant_id == tenant_id, signing_secrets.c.endpoint_id.is_(None))


def _tenant(row: Row[Any]) -> TenantRecord:
    return TenantRecord(row.id, row.name, row.created_at)
