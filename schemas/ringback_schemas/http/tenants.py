"""Bodies of tenants, API keys and signing secrets."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from ringback_schemas.http.base import AnswerBody, Name, RequestBody
from ringback_schemas.tenants import Scope


class SigningSecretBody(AnswerBody):
    """A secret that signs a tenant's webhooks."""

    id: str
    secret: str | None
    """`whsec_…`: give it to any Standard Webhooks library. Null for a key pair, whose private half is never shown."""
    public_key: str | None
    """`whpk_…` of a key pair: verifies what it signs."""
    created_at: datetime
    expires_at: datetime | None
    """Until when a rotated secret still signs; null for the newest."""

    def __repr__(self) -> str:
        """Shows which one, not what it is."""
        return f"SigningSecretBody(id={self.id!r}, secret='whsec_***', created_at={self.created_at!r})"

    __str__ = __repr__


class SigningSecretsBody(AnswerBody):
    """The live secrets, newest first; each webhook carries a signature of every one."""

    secrets: list[SigningSecretBody]


class TenantRequest(RequestBody):
    """A tenant to be made."""

    name: Name


class TenantBody(AnswerBody):
    """Whose jobs, keys and secrets: no tenant sees another's."""

    id: str
    name: str
    created_at: datetime


class TenantsBody(AnswerBody):
    """All tenants, oldest first."""

    items: list[TenantBody]


class KeyRequest(RequestBody):
    """An API key to be made."""

    name: Name
    scopes: Annotated[list[Annotated[Scope, Field(strict=False)]], Field(min_length=1)]
    tenant_id: Annotated[str | None, Field(description="Absent: the tenant of the key that asks.")] = None


class KeyBody(AnswerBody):
    """An API key, without the key."""

    id: str
    tenant_id: str
    name: str
    scopes: list[Scope]
    hint: str
    """Its first characters."""
    created_at: datetime
    revoked_at: datetime | None


class CreatedKeyBody(KeyBody):
    """A fresh API key: the only time that it is shown."""

    key: str
    """`rbk_…`, for `Authorization: Bearer`."""

    def __repr__(self) -> str:
        """Shows which key, not what it is."""
        return f"CreatedKeyBody(id={self.id!r}, key='rbk_***')"

    __str__ = __repr__


class KeysBody(AnswerBody):
    """A tenant's keys, oldest first, revoked ones too."""

    items: list[KeyBody]
