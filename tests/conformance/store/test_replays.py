"""``ReplayStore``: what a replay means, and that each delivery is redelivered once by it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import DeliveryKind, NewDelivery
from ringback_schemas.endpoints import DisabledReason, EndpointRecord
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    DeliveryId,
    InstanceId,
    TenantId,
    new_delivery_id,
    new_endpoint_id,
    new_replay_id,
)
from ringback_schemas.replays import (
    MAX_OPEN_REPLAYS,
    NewReplay,
    ReplayFilter,
    ReplayPace,
    ReplayRecord,
    ReplaySkips,
    ReplayStep,
)
from ringback_schemas.states import DeliveryState, ReplayState
from tests.conformance.store.making import (
    DESTINATION,
    OTHER_TENANT,
    URL,
    attempted,
    event,
    registered,
)

EXHAUSTED = DeliveryState.EXHAUSTED
SMALL = ReplayPace(chunk=2, window=3)
"""So small that a handful of deliveries takes several steps."""


async def settled(
    store: Store,
    owner: InstanceId,
    count: int = 1,
    state: DeliveryState = EXHAUSTED,
    endpoint: EndpointRecord | None = None,
    url: str = URL,
    destination: str = DESTINATION,
    **fields: Any,
) -> list[DeliveryId]:
    """So many deliveries that were tried once, and are in that state now; in id order."""
    kind = DeliveryKind.CALLBACK if endpoint is None else DeliveryKind.ENDPOINT
    endpoint_id = None if endpoint is None else endpoint.id
    news = [NewDelivery(new_delivery_id(), kind, url, destination, endpoint_id) for _ in range(count)]
    for new in news:
        await store.add_event(replace(event(None, deliveries=0, **fields), deliveries=(new,)))
    claimed = await store.claim_deliveries(owner, [new.id for new in news], count)
    assert len(claimed) == count
    assert all(await store.record_attempts([attempted(one, state, retry_in_s=3600) for one in claimed]))
    return sorted(new.id for new in news)


async def replay(store: Store, *, is_dry_run: bool = False, tenant_id: TenantId = DEFAULT_TENANT, **fields: Any) -> Any:
    """A replay that was just made, with a filter of these fields."""
    made = await store.create_replay(NewReplay(new_replay_id(), tenant_id, ReplayFilter(**fields), is_dry_run))
    assert made is not None
    return made


async def steps(store: Store, pace: ReplayPace = SMALL) -> list[ReplayStep]:
    """Steps until there is nothing to do."""
    taken: list[ReplayStep] = []
    while (step := await store.advance_replay(pace)) is not None:
        taken.append(step)
    return taken


def sent(taken: Sequence[ReplayStep]) -> list[DeliveryId]:
    """What these steps made due."""
    return [delivery_id for step in taken for delivery_id in step.redelivered]


async def found(store: Store, made: ReplayRecord) -> ReplayRecord:
    """The replay as it is now."""
    record = await store.get_replay(made.tenant_id, made.id)
    assert record is not None
    return record


async def states(store: Store, ids: Sequence[DeliveryId]) -> list[DeliveryState]:
    """Of these deliveries, in their order."""
    details = [await store.get_delivery(DEFAULT_TENANT, delivery_id) for delivery_id in ids]
    return [detail.delivery.state for detail in details if detail is not None]


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


async def test_replay_redelivers_each_matching_delivery_once(store: Store, owner: InstanceId) -> None:
    """Over several steps, at the beginning of their schedule, with the event they had."""
    wanted = await settled(store, owner, 7)
    await settled(store, owner, 2, DeliveryState.DELIVERED)
    before = [await store.get_delivery(DEFAULT_TENANT, delivery_id) for delivery_id in wanted]
    made = await replay(store)

    taken = await steps(store)

    assert sent(taken) == wanted
    assert max(len(step.redelivered) for step in taken) == SMALL.chunk
    claimed = await store.claim_due_deliveries(owner, 100)
    assert sorted(one.delivery.id for one in claimed) == wanted
    assert {(one.delivery.tries, one.delivery.attempt) for one in claimed} == {(0, 2)}
    assert {one.delivery.event_id for one in claimed} == {one.delivery.event_id for one in before if one is not None}
    after = await found(store, made)
    assert (after.state, after.matched, after.redelivered, after.skipped.total) == (ReplayState.DONE, 7, 7, 0)
    assert after.started_at is not None
    assert after.finished_at is not None


async def test_replay_replaces_a_retry_that_waits(store: Store, owner: InstanceId) -> None:
    """It is due at once, and once only."""
    (waiting,) = await settled(store, owner, state=DeliveryState.RETRYING)
    await replay(store, states=(DeliveryState.RETRYING,))

    await steps(store)

    claimed = await store.claim_due_deliveries(owner, 100)
    assert [(one.delivery.id, one.delivery.tries) for one in claimed] == [(waiting, 0)]


async def test_dry_run_counts_what_a_real_run_redelivers(store: Store, owner: InstanceId) -> None:
    """And changes nothing."""
    wanted = await settled(store, owner, 5)
    disabled = await registered(store)
    await settled(store, owner, 2, endpoint=disabled)
    await store.disable_endpoint(DEFAULT_TENANT, disabled.id, DisabledReason.REQUESTED)
    dry = await replay(store, is_dry_run=True)
    assert sent(await steps(store)) == []
    assert await states(store, wanted) == [EXHAUSTED] * 5

    real = await replay(store)
    await steps(store)

    told, done = await found(store, dry), await found(store, real)
    assert (told.state, told.is_counted, told.redelivered) == (ReplayState.DONE, True, 0)
    assert told.matched == done.matched == 7
    assert told.skipped == done.skipped == ReplaySkips(endpoint_disabled=2)
    assert done.redelivered == told.matched - told.skipped.total


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "abc"),
        ({"event_types": ("job.failed",)}, "b"),
        ({"event_types": ("job.*",)}, "ab"),
        ({"event_types": ("JOB.*", "job.fail*d")}, ""),
        ({"event_types": ("*",)}, "abc"),
        ({"url": "http://other.example/x"}, "c"),
        ({"destination": "http://other.example:80"}, "c"),
        ({"created_before": datetime(2020, 1, 1, tzinfo=UTC)}, ""),
        ({"created_after": datetime(1, 1, 1, tzinfo=UTC)}, "abc"),
        ({"created_after": datetime(2100, 1, 1, tzinfo=UTC)}, ""),
        ({"states": (DeliveryState.DELIVERED,)}, "d"),
        ({"states": (DeliveryState.DELIVERED, EXHAUSTED), "url": URL}, "abd"),
    ],
)
async def test_replay_means_what_meets_all_of_its_filter(
    store: Store, owner: InstanceId, fields: dict[str, Any], expected: str
) -> None:
    """And nothing else."""
    names = {
        (await settled(store, owner, type="job.succeeded"))[0]: "a",
        (await settled(store, owner, type="job.failed"))[0]: "b",
        (
            await settled(
                store,
                owner,
                url="http://other.example/x",
                destination="http://other.example:80",
                type="endpoint.test",
            )
        )[0]: "c",
        (await settled(store, owner, state=DeliveryState.DELIVERED))[0]: "d",
    }
    made = await replay(store, **fields)

    redelivered = sent(await steps(store))

    assert "".join(sorted(names[delivery_id] for delivery_id in redelivered)) == expected
    assert (await found(store, made)).matched == len(expected)


async def test_replay_of_a_span_begins_and_ends_with_it(store: Store, owner: InstanceId) -> None:
    """By the time at which the delivery came into being; both ends are left out."""
    ids = [(await settled(store, owner))[0] for _ in range(3)]
    born = [one.delivery.created_at for one in [await store.get_delivery(DEFAULT_TENANT, i) for i in ids] if one]
    await replay(store, created_after=born[0], created_before=born[2])

    assert sent(await steps(store)) == [ids[1]]


async def test_replay_of_an_endpoint_leaves_the_others_alone(store: Store, owner: InstanceId) -> None:
    """Also when they have the same URL."""
    mine, other = await registered(store), await registered(store)
    wanted = await settled(store, owner, 2, endpoint=mine)
    await settled(store, owner, endpoint=other)
    await settled(store, owner)
    await replay(store, endpoint_id=mine.id)

    assert sent(await steps(store)) == wanted


async def test_replay_skips_what_has_nobody_to_go_to(store: Store, owner: InstanceId) -> None:
    """And says how many for which reason."""
    disabled, deleted = await registered(store), await registered(store)
    kept = [await settled(store, owner, count, endpoint=one) for count, one in ((2, disabled), (3, deleted))]
    wanted = await settled(store, owner)
    await store.disable_endpoint(DEFAULT_TENANT, disabled.id, DisabledReason.REQUESTED)
    await store.delete_endpoint(DEFAULT_TENANT, deleted.id)
    made = await replay(store)

    redelivered = sent(await steps(store))

    after = await found(store, made)
    assert redelivered == wanted
    assert (after.matched, after.skipped) == (6, ReplaySkips(endpoint_disabled=2, endpoint_gone=3))
    assert {state for ids in kept for state in await states(store, ids)} == {EXHAUSTED}


async def test_replay_skips_what_changed_after_it_was_counted(store: Store, owner: InstanceId) -> None:
    """One is being sent by then, one was sent; neither is sent once more for it."""
    wanted = await settled(store, owner, 3)
    made = await replay(store)
    counting = ReplayPace(chunk=1, window=10)
    counted = await store.advance_replay(counting)
    assert counted is not None
    assert (counted.replay.is_counted, counted.replay.matched) == (True, 3)
    for delivery_id in wanted[:2]:
        await store.redeliver(DEFAULT_TENANT, delivery_id)
    (one, two) = await store.claim_due_deliveries(owner, 10)
    assert await store.record_attempts([attempted(two, EXHAUSTED)]) == [True]

    redelivered = sent(await steps(store))

    after = await found(store, made)
    assert redelivered == wanted[2:]
    assert (after.matched, after.redelivered, after.skipped) == (3, 1, ReplaySkips(changed=2))
    assert await states(store, [one.delivery.id]) == [DeliveryState.SENDING]


async def test_replay_does_not_mean_what_comes_after_it_was_made(store: Store, owner: InstanceId) -> None:
    """Neither a new delivery nor one that fails only then."""
    wanted = await settled(store, owner)
    (late,) = await settled(store, owner, state=DeliveryState.RETRYING)
    await replay(store)
    await settled(store, owner)
    await store.redeliver(DEFAULT_TENANT, late)
    (again,) = await store.claim_deliveries(owner, [late], 1)
    assert await store.record_attempts([attempted(again, EXHAUSTED)]) == [True]

    assert sent(await steps(store)) == wanted


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


async def test_replay_sends_each_delivery_once_when_many_take_steps(
    store: Store, second_store: Store, owner: InstanceId
) -> None:
    """Two processes, each taking several steps at once, as after a takeover."""
    wanted = await settled(store, owner, 30)
    made = await replay(store)

    async def walk(of: Store) -> list[DeliveryId]:
        redelivered: list[DeliveryId] = []
        while (await found(of, made)).state is not ReplayState.DONE:
            step = await of.advance_replay(SMALL)
            redelivered += [] if step is None else step.redelivered
        return redelivered

    parts = await asyncio.gather(*(walk(one) for one in (store, second_store, store, second_store)))

    assert sorted(delivery_id for part in parts for delivery_id in part) == wanted
    assert (await found(store, made)).redelivered == 30


async def test_cancel_stops_a_replay_where_it_is(store: Store, owner: InstanceId) -> None:
    """What it made due stays due, the rest stays as it was; a second time changes nothing."""
    wanted = await settled(store, owner, 6)
    made = await replay(store)
    taken = [await store.advance_replay(SMALL) for _ in range(4)]
    redelivered = sent([step for step in taken if step is not None])

    cancelled = await store.cancel_replay(DEFAULT_TENANT, made.id)

    assert cancelled is not None
    assert (cancelled.state, cancelled.redelivered) == (ReplayState.CANCELLED, len(redelivered))
    assert await steps(store) == []
    assert await states(store, wanted) == [DeliveryState.PENDING] * len(redelivered) + [EXHAUSTED] * (
        6 - len(redelivered)
    )
    assert await store.cancel_replay(DEFAULT_TENANT, made.id) == cancelled


async def test_cancel_leaves_a_done_replay_done(store: Store) -> None:
    """There is nothing to stop."""
    made = await replay(store)
    await steps(store)

    assert await store.cancel_replay(DEFAULT_TENANT, made.id) == await found(store, made)
    assert (await found(store, made)).state is ReplayState.DONE


async def test_replays_take_turns(store: Store, owner: InstanceId) -> None:
    """A long one does not keep a short one waiting."""
    await settled(store, owner, 12)
    long = await replay(store)
    await store.advance_replay(SMALL)
    short = await replay(store, url="http://nobody.example/", created_before=datetime(2020, 1, 1, tzinfo=UTC))

    taken = [await store.advance_replay(SMALL) for _ in range(4)]

    turns = [step.replay.id for step in taken if step is not None]
    assert set(turns[:2]) == {long.id, short.id}


async def test_replay_waits_while_much_is_due(store: Store, owner: InstanceId) -> None:
    """Only redelivering does: counting costs nobody anything."""
    wanted = await settled(store, owner, 3)
    await store.add_event(event(None, deliveries=2))
    full = replace(SMALL, most_due=2)
    made = await replay(store)

    held = await steps(store, full)

    assert sent(held) == []
    assert (await found(store, made)).is_counted
    await store.claim_due_deliveries(owner, 1)
    assert sent(await steps(store, full)) == wanted[:2]


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
