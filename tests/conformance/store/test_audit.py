"""``AuditStore``."""

from datetime import UTC, datetime, timedelta

from ringback_backends.contracts.store import Store
from ringback_schemas.audit import AuditAction, NewAuditEntry
from ringback_schemas.ids import DEFAULT_TENANT, TenantId, new_audit_id
from tests.conformance.store.making import OTHER_TENANT


def entry(target: str, tenant_id: TenantId = DEFAULT_TENANT) -> NewAuditEntry:
    """Somebody reads a secret."""
    return NewAuditEntry(new_audit_id(), tenant_id, "key_1", AuditAction.SECRET_READ, target, {"from": "192.0.2.1"})


async def test_audit_remembers_all_of_it(store: Store) -> None:
    """Who, what, at what and when, with what else there is to know."""
    told = entry("end_1")

    await store.audit(told)

    (kept,) = await store.list_audit(DEFAULT_TENANT, None, 10)
    assert (kept.id, kept.actor, kept.action, kept.target) == (told.id, "key_1", "secret.read", "end_1")
    assert kept.detail == {"from": "192.0.2.1"}
    assert abs(kept.at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_audit_lists_newest_first_in_pages(store: Store) -> None:
    """A tenant's own, page by page."""
    for target in "abc":
        await store.audit(entry(target))
    await store.audit(entry("theirs", OTHER_TENANT))

    first = await store.list_audit(DEFAULT_TENANT, None, 2)

    assert [one.target for one in first] == ["c", "b"]
    assert [one.target for one in await store.list_audit(DEFAULT_TENANT, first[-1].id, 2)] == ["a"]
