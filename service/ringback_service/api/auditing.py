"""The audit log: written before something is done, and shown to administrators."""

from functools import partial

from aiohttp import web

from ringback_schemas.audit import AuditAction, NewAuditEntry
from ringback_schemas.http import AuditEntryBody, AuditPage
from ringback_schemas.ids import AuditId, TenantId, new_audit_id
from ringback_service.api.calls import Call, model_answer
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.paging import Place
from ringback_service.api.queries import PageQuery, read_query


async def audit(
    deps: ApiDependencies,
    call: Call,
    action: AuditAction,
    target: str,
    *,
    tenant_id: TenantId | None = None,
    **detail: str,
) -> None:
    """Put on record what the caller is about to do; a crash after this leaves an entry for what never happened.

    The other way round a crash would leave something that nobody knows of.

    Raises:
        StoreUnavailable: it is not on record, so it must not be done.
    """
    entry = NewAuditEntry(new_audit_id(), tenant_id or call.tenant_id, call.key.id, action, target, detail)
    await deps.store.audit(entry)


async def list_audit(deps: ApiDependencies, call: Call) -> web.StreamResponse:
    """Show who read and changed secrets, keys and endpoints of the key's own tenant, newest first."""
    place = Place.of(call, "aud", AuditId, read_query(call.request, PageQuery).limit)
    page = await place.page(partial(deps.store.list_audit, call.tenant_id), deps.public_url)
    items = [
        AuditEntryBody(
            id=row.id, at=row.at, actor=row.actor, action=row.action, target=row.target, detail=dict(row.detail)
        )
        for row in page.rows
    ]
    return model_answer(AuditPage(items=items, next=page.next_url), headers=page.headers)
