"""Signing secrets as they are kept: a tenant's own, and those of its endpoints. Used by the queries of both."""

from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from ringback.secretbox import SecretBoxError
from ringback.webhooks import public_key_of
from ringback_backends.contracts.errors import SecretUnreadable
from ringback_backends.sql.columns import now
from ringback_backends.sql.tables import signing_secrets
from ringback_schemas.endpoints import MAX_LIVE_SECRETS, NewSecret, SigningScheme
from ringback_schemas.ids import EndpointId, TenantId
from ringback_schemas.tenants import SigningSecret

NEWEST_FIRST = (signing_secrets.c.created_at.desc(), signing_secrets.c.expires_at.is_not(None))
"""The one that has no end before those made in the same instant."""


class SecretBox(Protocol):
    """Encrypts what must not be read in the database."""

    def seal(self, plain: bytes, /) -> bytes:
        """Encrypted with the newest key."""

    def open(self, sealed: bytes, /) -> bytes:
        """What was sealed, with any key that is still known."""


def owned_by(tenant_id: TenantId, endpoint_id: EndpointId | None) -> ColumnElement[bool]:
    """The secrets of an endpoint; without one the tenant's own, which sign callbacks."""
    endpoint = signing_secrets.c.endpoint_id
    is_owner = endpoint.is_(None) if endpoint_id is None else endpoint == endpoint_id
    return and_(signing_secrets.c.tenant_id == tenant_id, is_owner)


def is_live() -> ColumnElement[bool]:
    """The secret signs."""
    return or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > now())


def add_secret(
    connection: Connection, box: SecretBox, tenant_id: TenantId, endpoint_id: EndpointId | None, new: NewSecret
) -> None:
    """Store a secret without an end."""
    row = {
        "id": new.id,
        "tenant_id": tenant_id,
        "endpoint_id": endpoint_id,
        "sealed": box.seal(new.secret.encode()),
        "created_at": now(),
        "public_key": public_key_of(new.secret) if new.scheme is SigningScheme.V1A else None,
    }
    connection.execute(insert(signing_secrets).values(row))


def end_secrets(connection: Connection, owned: ColumnElement[bool], expire_at: datetime) -> None:
    """Have those that live sign until then at the latest, and make room for another: ``MAX_LIVE_SECRETS`` with it.

    The oldest go first; those that are over are forgotten.
    """
    lasting = or_(signing_secrets.c.expires_at.is_(None), signing_secrets.c.expires_at > expire_at)
    connection.execute(update(signing_secrets).where(owned, lasting).values(expires_at=expire_at))
    live = select(signing_secrets.c.id).where(owned, is_live()).order_by(*NEWEST_FIRST)
    kept = list(connection.execute(live.limit(MAX_LIVE_SECRETS - 1)).scalars())
    connection.execute(delete(signing_secrets).where(owned, signing_secrets.c.id.not_in(kept)))


def live_secrets(connection: Connection, box: SecretBox, owned: ColumnElement[bool]) -> list[SigningSecret]:
    """Those that sign, in clear, newest first."""
    query = select(signing_secrets).where(owned, is_live()).order_by(*NEWEST_FIRST)
    return [signing_secret(row, box) for row in connection.execute(query)]


def signing_secret(row: Row[Any], box: SecretBox) -> SigningSecret:
    """The secret of a row of the whole table, in clear.

    Raises:
        SecretUnreadable: it opens with no key.
    """
    plain = opened(box, row.sealed, f"the signing secret {row.id}")
    return SigningSecret(row.id, plain.decode(), row.created_at, row.expires_at)


def opened(box: SecretBox, sealed: bytes, what: str) -> bytes:
    """What was sealed.

    Raises:
        SecretUnreadable: it opens with no key.
    """
    try:
        return box.open(sealed)
    except SecretBoxError as error:
        raise SecretUnreadable(what, str(error)) from error
