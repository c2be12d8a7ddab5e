"""What notifiers ask about endpoints and tell of them: the same queries for both databases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.sql.columns import now
from ringback_backends.sql.database import Database
from ringback_backends.sql.deliveries import RELEASED, is_held
from ringback_backends.sql.endpoint_rows import endpoint_record
from ringback_backends.sql.parking import CANCELLED, PARKED
from ringback_backends.sql.signing import NEWEST_FIRST, SecretBox, is_live, signing_secret
from ringback_backends.sql.tables import deliveries, endpoints, signing_secrets
from ringback_schemas.deliveries import DeliveryRef
from ringback_schemas.endpoints import ArmedEndpoint, Consent, UnreadableEndpoint, UnreadableHeaders
from ringback_schemas.ids import EndpointId, InstanceId


class ArmingQueries:
    """Everything about endpoints that sending needs."""

    _database: Database
    _secret_box: SecretBox

    async def arm_endpoints(
        self, endpoint_ids: Sequence[EndpointId]
    ) -> list[ArmedEndpoint | UnreadableEndpoint | None]:
        """See ``EndpointStore.arm_endpoints``."""
        found = await self._database.read("arm_endpoints", lambda connection: self._arm(connection, endpoint_ids))
        return [found.get(endpoint_id) for endpoint_id in endpoint_ids]

    async def record_consent(
        self, endpoint_id: EndpointId, url: str, consent: Consent, rate_per_minute: int | None
    ) -> bool:
        """See ``EndpointStore.record_consent``."""
        asked = and_(
            endpoints.c.id == endpoint_id, endpoints.c.url == url, endpoints.c.consent != Consent.NOT_REQUIRED.value
        )
        answered = {"consent": consent.value, "consent_rate_per_minute": rate_per_minute}
        statement = update(endpoints).where(asked).values(answered)
        return await self._database.write(
            "record_consent", lambda connection: connection.execute(statement).rowcount > 0
        )

    async def withhold_deliveries(self, owner: InstanceId, deliveries: Sequence[DeliveryRef]) -> list[bool]:
        """See ``EndpointStore.withhold_deliveries``."""
        return await self._database.write(
            "withhold_deliveries", lambda connection: _withhold(connection, owner, deliveries)
        )

    def _arm(
        self, connection: Connection, ids: Sequence[EndpointId]
    ) -> dict[EndpointId, ArmedEndpoint | UnreadableEndpoint]:
        rows = connection.execute(select(endpoints).where(endpoints.c.id.in_(ids))).all()
        tenants = {row.tenant_id for row in rows}
        owned = and_(signing_secrets.c.tenant_id.in_(tenants), signing_secrets.c.endpoint_id.in_(ids))
        secrets: dict[EndpointId, list[Row[Any]]] = {}
        for row in connection.execute(select(signing_secrets).where(owned, is_live()).order_by(*NEWEST_FIRST)):
            secrets.setdefault(row.endpoint_id, []).append(row)
        return {row.id: _armed(row, secrets.get(row.id, ()), self._secret_box) for row in rows}


def _armed(row: Row[Any], secrets: Sequence[Row[Any]], box: SecretBox) -> ArmedEndpoint | UnreadableEndpoint:
    endpoint = endpoint_record(row, box)
    headers = endpoint.settings.headers
    if isinstance(headers, UnreadableHeaders):
        return UnreadableEndpoint(endpoint, headers.reason)
    try:
        return ArmedEndpoint(endpoint, headers, tuple(signing_secret(secret, box) for secret in secrets))
    except SecretUnreadable as error:
        return UnreadableEndpoint(endpoint, str(error))


def _withhold(connection: Connection, owner: InstanceId, withheld: Sequence[DeliveryRef]) -> list[bool]:
    """Endpoints first, as everything that changes their state does; answers in the order given."""
    refs = sorted(set(withheld), key=lambda ref: ref.delivery_id)
    of_refs = select(deliveries.c.endpoint_id).where(deliveries.c.id.in_([ref.delivery_id for ref in refs]))
    locked = select(endpoints.c.id, endpoints.c.is_enabled).where(endpoints.c.id.in_(of_refs))
    enabled = {row.id: row.is_enabled for row in connection.execute(locked.order_by(endpoints.c.id).with_for_update())}
    answers = {ref: _put_back(connection, owner, ref, enabled) for ref in refs}
    return [answers[ref] for ref in withheld]


def _put_back(connection: Connection, owner: InstanceId, ref: DeliveryRef, enabled: dict[str, bool]) -> bool:
    held = is_held(owner, ref)
    row = connection.execute(select(deliveries.c.endpoint_id).where(held)).one_or_none()
    if row is None:
        return False
    waits = {"state": RELEASED["state"]}
    match enabled.get(row.endpoint_id) if row.endpoint_id is not None else True:
        case None:
            change = CANCELLED
        case True:
            change = waits | {"next_attempt_at": now()}
        case False:
            change = waits | PARKED
    return connection.execute(update(deliveries).where(held).values(change | {"owner": None})).rowcount > 0
