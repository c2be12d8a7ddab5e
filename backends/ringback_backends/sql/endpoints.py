"""Registered endpoints: the same queries for both databases.

Whatever changes an endpoint's state locks its row first, then its deliveries, so that a state and the deliveries that
it stops or frees change together.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, null, select, update

from ringback_backends.sql.arranging import arrange, go_on
from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.endpoint_rows import endpoint_record, settings_row
from ringback_backends.sql.lane_columns import lane_of_row
from ringback_backends.sql.lines import leave_line
from ringback_backends.sql.listing import newest_first
from ringback_backends.sql.parking import cancel_waiting
from ringback_backends.sql.signing import SecretBox, add_secret, end_secrets, is_live, live_secrets, owned_by
from ringback_backends.sql.switching import switch_off, switch_on
from ringback_backends.sql.tables import endpoints, signing_secrets, tenants
from ringback_schemas.endpoints import (
    MAX_ENDPOINTS,
    Consent,
    DisabledReason,
    EndpointRecord,
    EndpointSettings,
    NewSecret,
    PublicKey,
)
from ringback_schemas.ids import EndpointId, TenantId
from ringback_schemas.lane_names import lane_of
from ringback_schemas.tenants import SigningSecret

_STOPPED = {"is_enabled": False, "disabled_reason": DisabledReason.REQUESTED.value, "disabled_at": now()}
"""An endpoint that is being deleted. Nobody is told: it is not disabled, it will be gone."""


class EndpointQueries:
    """Everything that people do with endpoints."""

    _database: Database
    _secret_box: SecretBox

    async def create_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, settings: EndpointSettings, secret: NewSecret
    ) -> EndpointRecord | None:
        """See ``EndpointStore.create_endpoint``."""
        row = settings_row(settings, self._secret_box) | {
            "id": endpoint_id,
            "tenant_id": tenant_id,
            "signing": secret.scheme.value,
            "is_enabled": True,
            "consent": _first_consent(settings).value,
            "created_at": now(),
            "updated_at": now(),
        }

        def create(connection: Connection) -> EndpointRecord | None:
            # one at a time for each tenant, or several would see room for the last one
            connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
            count = select(func.count()).select_from(endpoints).where(endpoints.c.tenant_id == tenant_id)
            if connection.execute(count).scalar_one() >= MAX_ENDPOINTS:
                return None
            connection.execute(insert(endpoints).values(row))
            add_secret(connection, self._secret_box, tenant_id, endpoint_id, secret)
            return self._endpoint(connection, _mine(tenant_id, endpoint_id))

        return await self._database.write("create_endpoint", create)

    async def get_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> EndpointRecord | None:
        """See ``EndpointStore.get_endpoint``."""
        return await self._database.read(
            "get_endpoint", lambda connection: self._endpoint(connection, _mine(tenant_id, endpoint_id))
        )

    async def list_endpoints(self, tenant_id: TenantId, before: EndpointId | None, limit: int) -> list[EndpointRecord]:
        """See ``EndpointStore.list_endpoints``."""
        mine = select(endpoints).where(endpoints.c.tenant_id == tenant_id)
        query = newest_first(mine, endpoints.c.id, before, limit)
        return await self._database.read(
            "list_endpoints",
            lambda connection: [endpoint_record(row, self._secret_box) for row in connection.execute(query)],
        )

    async def update_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, version: int, settings: EndpointSettings
    ) -> EndpointRecord | None:
        """See ``EndpointStore.update_endpoint``."""
        mine = _mine(tenant_id, endpoint_id)

        def change(connection: Connection) -> EndpointRecord | None:
            found = _locked(connection, mine)
            if found is None or found.version != version:
                return None
            changes = settings_row(settings, self._secret_box) | _next_consent(found, settings)
            changes |= {"version": version + 1, "updated_at": now()}
            connection.execute(update(endpoints).where(mine).values(changes))
            _rearrange(connection, found, settings)
            return self._endpoint(connection, mine)

        return await self._database.write("update_endpoint", change)

    async def delete_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> bool:
        """See ``EndpointStore.delete_endpoint``."""

        def forget(connection: Connection) -> bool | None:
            mine = _mine(tenant_id, endpoint_id)
            if _locked(connection, mine) is None:
                return False
            if not cancel_waiting(connection, endpoint_id):
                connection.execute(update(endpoints).where(mine, endpoints.c.is_enabled).values(_STOPPED))
                return None
            connection.execute(delete(signing_secrets).where(owned_by(tenant_id, endpoint_id)))
            connection.execute(delete(endpoints).where(mine))
            return True

        # whoever dies between the steps leaves a disabled endpoint, with less that waits for it
        while (is_forgotten := await self._database.write("delete_endpoint", forget)) is None:
            continue
        return is_forgotten

    async def enable_endpoint(self, tenant_id: TenantId, endpoint_id: EndpointId) -> EndpointRecord | None:
        """See ``EndpointStore.enable_endpoint``."""
        mine = _mine(tenant_id, endpoint_id)

        def enable(connection: Connection) -> EndpointRecord | None:
            switch_on(connection, mine)
            return self._endpoint(connection, mine)

        return await self._database.write("enable_endpoint", enable)

    async def disable_endpoint(
        self, tenant_id: TenantId, endpoint_id: EndpointId, reason: DisabledReason, *, only_at: str | None = None
    ) -> EndpointRecord | None:
        """See ``EndpointStore.disable_endpoint``."""
        mine = _mine(tenant_id, endpoint_id)
        meant = mine if only_at is None else and_(mine, endpoints.c.url == only_at)

        def disable(connection: Connection) -> EndpointRecord | None:
            switch_off(connection, meant, reason)
            return self._endpoint(connection, mine)

        return await self._database.write("disable_endpoint", disable)

    async def arrange_endpoint(self, after: str, limit: int) -> EndpointId | None:
        """See ``EndpointStore.arrange_endpoint``."""
        return await self._database.write("arrange_endpoint", lambda connection: go_on(connection, after, limit))

    async def endpoint_secrets(self, tenant_id: TenantId, endpoint_id: EndpointId) -> Sequence[SigningSecret]:
        """See ``EndpointStore.endpoint_secrets``."""
        owned = owned_by(tenant_id, endpoint_id)
        return await self._database.read(
            "endpoint_secrets", lambda connection: live_secrets(connection, self._secret_box, owned)
        )

    async def rotate_endpoint_secret(
        self, tenant_id: TenantId, endpoint_id: EndpointId, secret: NewSecret, old_expire_at: datetime
    ) -> Sequence[SigningSecret]:
        """See ``EndpointStore.rotate_endpoint_secret``."""
        mine, owned = _mine(tenant_id, endpoint_id), owned_by(tenant_id, endpoint_id)

        def rotate(connection: Connection) -> Sequence[SigningSecret]:
            # two rotations at once would each leave the other's secret without an end
            if _locked(connection, mine) is None:
                return []
            end_secrets(connection, owned, old_expire_at)
            add_secret(connection, self._secret_box, tenant_id, endpoint_id, secret)
            connection.execute(update(endpoints).where(mine).values(signing=secret.scheme.value))
            return live_secrets(connection, self._secret_box, owned)

        return await self._database.write("rotate_endpoint_secret", rotate)

    async def public_keys(self, tenant_id: TenantId) -> list[PublicKey]:
        """See ``EndpointStore.public_keys``."""
        table = signing_secrets.c
        query = select(table.id, table.endpoint_id, table.public_key, table.created_at, table.expires_at)
        query = query.where(table.tenant_id == tenant_id, table.public_key.is_not(None), is_live())
        query = query.order_by(table.created_at.desc(), table.id.desc())
        return await self._database.read(
            "public_keys", lambda connection: [PublicKey(*row) for row in connection.execute(query)]
        )

    def _endpoint(self, connection: Connection, condition: ColumnElement[bool]) -> EndpointRecord | None:
        row = connection.execute(select(endpoints).where(condition)).one_or_none()
        return None if row is None else endpoint_record(row, self._secret_box)


def _mine(tenant_id: TenantId, endpoint_id: EndpointId) -> ColumnElement[bool]:
    return and_(endpoints.c.id == endpoint_id, endpoints.c.tenant_id == tenant_id)


def _locked(connection: Connection, condition: ColumnElement[bool]) -> Row[Any] | None:
    return connection.execute(select(endpoints).where(condition).with_for_update()).one_or_none()


def _rearrange(connection: Connection, found: Row[Any], settings: EndpointSettings) -> None:
    """Deliveries that wait go by the endpoint's new lane, in line or not. Other changes leave them alone."""
    before, lane = lane_of_row(found), lane_of(found.id, settings)
    if (found.url, found.is_fifo, before) == (settings.url, settings.is_fifo, lane):
        return
    is_whole = True
    if found.is_fifo and not settings.is_fifo:
        is_whole = leave_line(connection, before, {"waits_for": None})
    elif found.is_fifo and before != lane:
        is_whole = leave_line(connection, before, {"destination": lane})
    arrange(connection, found.id, is_lined_up=not found.is_fifo, is_again=not is_whole)


def _first_consent(settings: EndpointSettings) -> Consent:
    return Consent.PENDING if settings.needs_consent else Consent.NOT_REQUIRED


def _next_consent(found: Row[Any], settings: EndpointSettings) -> dict[str, Any]:
    """Consent is for a URL: another one has to give it anew."""
    has_asked = found.consent != Consent.NOT_REQUIRED.value
    if settings.needs_consent == has_asked and (found.url == settings.url or not has_asked):
        return {}
    return {"consent": _first_consent(settings).value, "consent_rate_per_minute": null()}
