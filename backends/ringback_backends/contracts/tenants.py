"""The part of the store's contract that keeps tenants, API keys and signing secrets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ringback_schemas.endpoints import NewSecret
from ringback_schemas.ids import KeyId, TenantId
from ringback_schemas.tenants import ApiKeyRecord, Scope, SigningSecret, TenantRecord


class TenantStore(Protocol):
    """Knows who may do what. Keys are kept as SHA-256, secrets encrypted."""

    async def create_tenant(self, tenant_id: TenantId, name: str) -> TenantRecord:
        """Store a tenant with a first signing secret; the one already there when the id is known."""

    async def get_tenant(self, tenant_id: TenantId) -> TenantRecord | None:
        """A tenant; absent if unknown."""

    async def list_tenants(self) -> list[TenantRecord]:
        """All tenants, oldest first."""

    async def create_key(
        self, key_id: KeyId, tenant_id: TenantId, name: str, scopes: frozenset[Scope], key_hash: bytes, hint: str
    ) -> ApiKeyRecord:
        """Store an API key; the one already there when the hash is known (a bootstrap key, every start)."""

    async def find_key(self, key_hash: bytes) -> ApiKeyRecord | None:
        """The key with that SHA-256, revoked ones too; absent if unknown."""

    async def list_keys(self, tenant_id: TenantId) -> list[ApiKeyRecord]:
        """A tenant's keys, oldest first, revoked ones too."""

    async def revoke_key(self, tenant_id: TenantId, key_id: KeyId) -> ApiKeyRecord | None:
        """End a key; safe to call twice; absent if unknown."""

    async def signing_secrets(self, tenant_id: TenantId) -> Sequence[SigningSecret]:
        """A tenant's live secrets in clear, newest first; never empty for a known tenant.

        Raises:
            SecretUnreadable: one of them cannot be decrypted.
        """

    async def rotate_signing_secret(
        self, tenant_id: TenantId, secret: NewSecret, old_expire_at: datetime
    ) -> Sequence[SigningSecret]:
        """Add a secret; those already there sign until ``old_expire_at`` at the latest. The live ones, newest first.

        With more than ``MAX_LIVE_SECRETS`` the oldest end at once.
        """
