"""API keys and tenants in the store, without a running API. What changes is put on record before, as over the API."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import typer

from ringback.cli.options import members
from ringback.settings import Settings, load_settings
from ringback_backends.contracts.store import Store
from ringback_backends.sql import open_store
from ringback_schemas.audit import CLI_ACTOR, AuditAction, NewAuditEntry
from ringback_schemas.http import CreatedKeyBody, KeyBody, TenantBody
from ringback_schemas.ids import DEFAULT_TENANT, KeyId, TenantId, check_id, new_audit_id, new_id
from ringback_schemas.tenants import ALL_SCOPES, ApiKeyRecord, Scope, TenantRecord
from ringback_service.api_keys import keep_key, new_api_key, show_key, show_tenant

T = TypeVar("T")


def create_key(name: str, scopes: Sequence[str], tenant_id: str | None) -> CreatedKeyBody:
    """A fresh key, in clear this once."""
    key, key_id = new_api_key(), KeyId(new_id("key"))
    wanted = frozenset(members(Scope, scopes, what="scope", option="--scope")) or ALL_SCOPES

    async def work(store: Store, tenant: TenantId) -> ApiKeyRecord:
        await _audit(store, tenant, AuditAction.KEY_CREATED, key_id, scopes=" ".join(sorted(wanted)))
        return await keep_key(store, key_id, tenant, name, wanted, key)

    record = _with_store(tenant_id, work)
    return CreatedKeyBody(**show_key(record).model_dump(), key=key)


def list_keys(tenant_id: str | None) -> list[KeyBody]:
    """All keys of a tenant, oldest first."""
    return [show_key(record) for record in _with_store(tenant_id, lambda store, tenant: store.list_keys(tenant))]


def revoke_key(key_id: str, tenant_id: str | None) -> KeyBody | None:
    """The key, revoked; absent if unknown."""
    wanted = KeyId(check_id("key", key_id))

    async def work(store: Store, tenant: TenantId) -> ApiKeyRecord | None:
        await _audit(store, tenant, AuditAction.KEY_REVOKED, wanted)
        return await store.revoke_key(tenant, wanted)

    record = _with_store(tenant_id, work)
    return None if record is None else show_key(record)


def create_tenant(name: str) -> TenantBody:
    """A fresh tenant, with a signing secret and no key."""

    async def work(store: Store, administrator: TenantId) -> TenantRecord:
        tenant_id = TenantId(new_id("ten"))
        await _audit(store, administrator, AuditAction.TENANT_CREATED, tenant_id)
        return await store.create_tenant(tenant_id, name)

    return show_tenant(_with_store(None, work))


def list_tenants() -> list[TenantBody]:
    """All tenants, oldest first."""
    return [show_tenant(record) for record in _with_store(None, lambda store, _: store.list_tenants())]


async def _audit(store: Store, tenant_id: TenantId, action: AuditAction, target: str, **detail: str) -> None:
    await store.audit(NewAuditEntry(new_audit_id(), tenant_id, CLI_ACTOR, action, target, detail))


def _with_store(tenant_id: str | None, work: Callable[[Store, TenantId], Awaitable[T]]) -> T:
    settings = load_settings()
    tenant = DEFAULT_TENANT if tenant_id is None else TenantId(check_id("ten", tenant_id))

    async def main() -> T:
        async with _opened(settings) as store:
            await store.ping()  # tells of a schema that is absent or not ours, before anything else can
            if tenant == DEFAULT_TENANT:
                await store.create_tenant(tenant, "default")
            elif await store.get_tenant(tenant) is None:
                raise typer.BadParameter(f"there is no tenant {tenant}", param_hint="--tenant")
            return await work(store, tenant)

    return asyncio.run(main())


def _opened(settings: Settings) -> AbstractAsyncContextManager[Store]:
    url = settings.database_url.get_secret_value()
    return open_store(url, secret_box=settings.secret_box(), pool_size=2)
