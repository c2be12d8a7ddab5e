"""API keys and tenants: how a key is made, what the store keeps of it, and what is shown."""

import hashlib
import secrets

from ringback_backends.contracts.tenants import TenantStore
from ringback_schemas.http import KeyBody, TenantBody
from ringback_schemas.ids import KeyId, TenantId
from ringback_schemas.tenants import ApiKeyRecord, Scope, TenantRecord

KEY_BYTES = 32
HINT_CHARACTERS = 8


def new_api_key() -> str:
    """A fresh API key."""
    return f"rbk_{secrets.token_urlsafe(KEY_BYTES)}"


async def keep_key(
    tenants: TenantStore, key_id: KeyId, tenant_id: TenantId, name: str, scopes: frozenset[Scope], api_key: str
) -> ApiKeyRecord:
    """Store a key: its SHA-256 and its first characters only. Raises as the store."""
    return await tenants.create_key(key_id, tenant_id, name, scopes, hash_key(api_key), api_key[:HINT_CHARACTERS])


def hash_key(api_key: str) -> bytes:
    """What the store knows a key by; of anything that a header can hold."""
    return hashlib.sha256(api_key.encode("utf-8", "surrogateescape")).digest()


def show_key(key: ApiKeyRecord) -> KeyBody:
    """The key as people see it, without the key."""
    return KeyBody(
        id=key.id,
        tenant_id=key.tenant_id,
        name=key.name,
        scopes=sorted(key.scopes),
        hint=key.hint,
        created_at=key.created_at,
        revoked_at=key.revoked_at,
    )


def show_tenant(tenant: TenantRecord) -> TenantBody:
    """The tenant as people see it."""
    return TenantBody(id=tenant.id, name=tenant.name, created_at=tenant.created_at)
