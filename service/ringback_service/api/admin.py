"""Handlers for API keys and tenants."""

from aiohttp import web

from ringback_schemas.audit import AuditAction
from ringback_schemas.http import (
    CreatedKeyBody,
    KeyRequest,
    KeysBody,
    TenantRequest,
    TenantsBody,
)
from ringback_schemas.ids import InvalidId, KeyId, TenantId, check_id, new_id
from ringback_schemas.problems import Problems
from ringback_service.api.auditing import audit
from ringback_service.api.bodies import read_model
from ringback_service.api.calls import Call, model_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.queries import TenantQuery, read_query
from ringback_service.api.refusals import Refused
from ringback_service.api_keys import keep_key, new_api_key, show_key, show_tenant


async def create_key(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Make an API key; it is shown this once, and kept as SHA-256 only."""
    wanted = await read_model(call.request, KeyRequest, deps.max_body_bytes)
    tenant_id = await _tenant(deps, call, wanted.tenant_id)
    key, key_id = new_api_key(), KeyId(new_id("key"))
    scopes = " ".join(sorted(wanted.scopes))
    await audit(deps, call, AuditAction.KEY_CREATED, key_id, tenant_id=tenant_id, scopes=scopes)
    record = await keep_key(deps.store, key_id, tenant_id, wanted.name, frozenset(wanted.scopes), key)
    return model_answer(CreatedKeyBody(key=key, **show_key(record).model_dump()), status=201)


async def list_keys(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show a tenant's API keys."""
    tenant_id = await _tenant(deps, call, read_query(call.request, TenantQuery).tenant_id)
    return model_answer(KeysBody(items=[show_key(key) for key in await deps.store.list_keys(tenant_id)]))


async def revoke_key(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """End an API key. Other processes believe in it for a few seconds more."""
    tenant_id = await _tenant(deps, call, read_query(call.request, TenantQuery).tenant_id)
    key_id = KeyId(call.id_in_path("key", Problems.KEY_NOT_FOUND))
    await audit(deps, call, AuditAction.KEY_REVOKED, key_id, tenant_id=tenant_id)
    record = await deps.store.revoke_key(tenant_id, key_id)
    if record is None:
        raise Refused(Problems.KEY_NOT_FOUND, f"there is no API key {key_id}")
    deps.authenticator.forget()
    return model_answer(show_key(record))


async def create_tenant(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Make a tenant, with a first signing secret and no API key."""
    wanted = await read_model(call.request, TenantRequest, deps.max_body_bytes)
    tenant_id = TenantId(new_id("ten"))
    await audit(deps, call, AuditAction.TENANT_CREATED, tenant_id)
    record = await deps.store.create_tenant(tenant_id, wanted.name)
    return model_answer(show_tenant(record), status=201)


async def list_tenants(deps: ApiDependencies, call: Call) -> web.StreamResponse:  # noqa: ARG001 - a handler's form
    """Show all tenants."""
    return model_answer(TenantsBody(items=[show_tenant(tenant) for tenant in await deps.store.list_tenants()]))


async def _tenant(deps: ApiDependencies, call: Call, wanted: str | None) -> TenantId:
    """The tenant that was named, or the caller's own. Administrators, and only they come here, may name any."""
    if wanted is None:
        return call.tenant_id
    try:
        tenant_id = TenantId(check_id("ten", wanted))
    except InvalidId as error:
        raise Refused(Problems.TENANT_NOT_FOUND, str(error)) from error
    if await deps.store.get_tenant(tenant_id) is None:
        raise Refused(Problems.TENANT_NOT_FOUND, f"there is no tenant {tenant_id}")
    return tenant_id
