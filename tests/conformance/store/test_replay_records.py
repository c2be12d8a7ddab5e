"""Replays as they are kept: read back, listed in pages, and only so many open ones of a tenant."""

import asyncio
from datetime import UTC, datetime, timedelta

from ringback_backends.contracts.store import Store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_endpoint_id, new_replay_id
from ringback_schemas.replays import MAX_OPEN_REPLAYS, NewReplay, ReplayFilter, ReplaySkips
from ringback_schemas.states import DeliveryState, ReplayState
from tests.conformance.store.making import DESTINATION, OTHER_TENANT, URL
from tests.conformance.store.replaying import EXHAUSTED, found, replay, sent, settled, steps


async def test_replay_is_read_back_as_it_was_made(store: Store) -> None:
    """Every part of the filter survives; nothing has happened yet."""
    wanted = ReplayFilter(
        states=(DeliveryState.DELIVERED, DeliveryState.RETRYING),
        event_types=("job.*", "endpoint.test"),
        endpoint_id=new_endpoint_id(),
        url=URL,
        destination=DESTINATION,
        created_after=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        created_before=datetime(9999, 12, 31, tzinfo=UTC),
    )

    made = await store.create_replay(NewReplay(new_replay_id(), DEFAULT_TENANT, wanted, is_dry_run=True))

    assert made is not None
    assert await found(store, made) == made
    assert (made.filter, made.is_dry_run, made.state) == (wanted, True, ReplayState.PENDING)
    assert (made.is_counted, made.matched, made.redelivered, made.skipped) == (False, 0, 0, ReplaySkips())
    assert (made.started_at, made.finished_at) == (None, None)
    assert abs(made.created_at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_replay_never_touches_another_tenant(store: Store, owner: InstanceId) -> None:
    """Whose replay it is decides whose deliveries it means; nobody else can see or stop it."""
    theirs = await settled(store, owner, tenant_id=OTHER_TENANT)
    mine = await settled(store, owner)
    made = await replay(store)

    assert await store.get_replay(OTHER_TENANT, made.id) is None
    assert await store.cancel_replay(OTHER_TENANT, made.id) is None
    assert await store.list_replays(OTHER_TENANT, None, 10) == []
    assert sent(await steps(store)) == mine
    untouched = await store.get_delivery(OTHER_TENANT, theirs[0])
    assert untouched is not None
    assert untouched.delivery.state is EXHAUSTED


async def test_tenant_has_only_so_many_open_replays(store: Store) -> None:
    """One more is not stored, even when several come at once; those that are done do not count."""
    many = [NewReplay(new_replay_id(), DEFAULT_TENANT, ReplayFilter()) for _ in range(MAX_OPEN_REPLAYS + 3)]

    made = await asyncio.gather(*(store.create_replay(new) for new in many))

    assert len([one for one in made if one is not None]) == MAX_OPEN_REPLAYS
    await replay(store, tenant_id=OTHER_TENANT)
    await steps(store)
    assert await store.create_replay(NewReplay(new_replay_id(), DEFAULT_TENANT, ReplayFilter())) is not None


async def test_replays_come_newest_first_in_pages(store: Store) -> None:
    """A tenant's own, page by page."""
    made = [await replay(store) for _ in range(3)]
    await replay(store, tenant_id=OTHER_TENANT)

    first = await store.list_replays(DEFAULT_TENANT, None, 2)

    assert first == [made[2], made[1]]
    assert await store.list_replays(DEFAULT_TENANT, first[-1].id, 2) == [made[0]]
