"""How long the records of what people did are kept: the audit log, and replays that are over."""

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.audit import AuditAction, NewAuditEntry
from ringback_schemas.ids import DEFAULT_TENANT, ReplayId, TenantId, new_audit_id, new_replay_id
from ringback_schemas.replays import NewReplay, ReplayFilter, ReplayPace
from ringback_schemas.retention import Chore, Retention
from tests.conformance.store.ageing import aged, changed, count
from tests.conformance.store.making import OTHER_TENANT, PAST

KEEP = Retention()
FOR_EVER = Retention(0, 0, 0, 0)


async def entered(store: Store, target: str, tenant_id: TenantId = DEFAULT_TENANT) -> None:
    """Somebody read a secret."""
    await store.audit(NewAuditEntry(new_audit_id(), tenant_id, "key_1", AuditAction.SECRET_READ, target))


async def replayed(store: Store) -> ReplayId:
    """A replay that nobody has begun with."""
    made = await store.create_replay(NewReplay(new_replay_id(), DEFAULT_TENANT, ReplayFilter(), is_dry_run=True))
    assert made is not None
    return made.id


async def test_old_entries_of_the_audit_log_are_forgotten(store: Store, database_url: str) -> None:
    """Every tenant's; young ones stay."""
    await entered(store, "old")
    await entered(store, "theirs", OTHER_TENANT)
    await aged(database_url, "audit_log")
    await entered(store, "young")

    step = await store.sweep(Chore.AUDIT, KEEP, "", 100)

    assert (step.count, step.is_more) == (2, False)
    assert [entry.target for entry in await store.list_audit(DEFAULT_TENANT, None, 10)] == ["young"]
    assert await store.list_audit(OTHER_TENANT, None, 10) == []


async def test_replays_that_are_over_are_forgotten(store: Store, database_url: str) -> None:
    """Done or cancelled, long ago; one that ended a moment ago stays."""
    done, cancelled = await replayed(store), await replayed(store)
    await store.cancel_replay(DEFAULT_TENANT, cancelled)
    while await store.advance_replay(ReplayPace()) is not None:
        pass
    await aged(database_url, "replays")
    young = await replayed(store)
    await store.cancel_replay(DEFAULT_TENANT, young)

    step = await store.sweep(Chore.REPLAYS, KEEP, "", 100)

    assert (step.count, step.is_more) == (2, False)
    assert [kept.id for kept in await store.list_replays(DEFAULT_TENANT, None, 10)] == [young]
    assert await store.get_replay(DEFAULT_TENANT, done) is None


async def test_replay_that_is_not_over_is_never_forgotten(store: Store, database_url: str) -> None:
    """However long ago it was made: it has work left."""
    open_one = await replayed(store)
    await changed(database_url, "replays", created_at=PAST, turn_at=PAST)

    step = await store.sweep(Chore.REPLAYS, KEEP, "", 100)

    assert step.count == 0
    assert await store.get_replay(DEFAULT_TENANT, open_one) is not None


@pytest.mark.parametrize("chore", [Chore.AUDIT, Chore.REPLAYS])
async def test_records_go_in_bounded_steps(store: Store, database_url: str, chore: Chore) -> None:
    """Each deletes at most the limit, and says whether there is more."""
    for number in range(3):
        await entered(store, f"end_{number}")
        await store.cancel_replay(DEFAULT_TENANT, await replayed(store))
    await aged(database_url)

    steps = [await store.sweep(chore, KEEP, "", 2) for _ in range(2)]

    assert [(step.count, step.is_more) for step in steps] == [(2, True), (1, False)]


@pytest.mark.parametrize(("chore", "table"), [(Chore.AUDIT, "audit_log"), (Chore.REPLAYS, "replays")])
async def test_records_may_be_kept_for_ever(store: Store, database_url: str, chore: Chore, table: str) -> None:
    """With 0 nothing goes, however old it is."""
    await entered(store, "end_1")
    await store.cancel_replay(DEFAULT_TENANT, await replayed(store))
    await aged(database_url)

    assert (await store.sweep(chore, FOR_EVER, "", 100)).count == 0

    assert await count(database_url, table) == 1
