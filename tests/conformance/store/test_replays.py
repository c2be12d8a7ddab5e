"""``ReplayStore``: which deliveries a replay means, and that each of them is redelivered once by it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.replays import ReplayPace, ReplaySkips
from ringback_schemas.states import DeliveryState, ReplayState
from tests.conformance.store.making import URL, attempted, registered
from tests.conformance.store.replaying import EXHAUSTED, SMALL, found, replay, sent, settled, states, steps


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
