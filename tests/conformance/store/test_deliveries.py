"""``DeliveryStore``."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import Verdict
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import (
    OTHER_TENANT,
    SETTINGS,
    attempted,
    delivery_ids,
    delivery_ref,
    ended,
    event,
    job_of,
    registered,
    running,
    running_jobs,
    sending,
    told,
)


async def pending(store: Store, owner: InstanceId, count: int) -> list[DeliveryId]:
    """So many deliveries that are due, in the order of their birth."""
    outcomes = [ended(claimed) for claimed in await running_jobs(store, owner, count)]
    await store.finish_jobs(outcomes)
    return delivery_ids(outcomes)


async def test_claim_makes_the_delivery_the_owners(store: Store, owner: InstanceId) -> None:
    """A claimed delivery is ``sending``, belongs to the owner, and its attempt is one more."""
    (delivery_id,) = await pending(store, owner, 1)

    (claimed,) = await store.claim_deliveries(owner, [delivery_id], 5)

    kept = claimed.delivery
    assert (kept.state, kept.owner, kept.attempt, kept.tries) == (DeliveryState.SENDING, owner, 1, 0)
    detail = await store.get_delivery(DEFAULT_TENANT, delivery_id)
    assert detail is not None
    assert detail.delivery == kept


async def test_claim_answers_in_order_within_the_limit(store: Store, owner: InstanceId) -> None:
    """The first named that are due, each once, in the order named; unknown ones are ignored."""
    ids = await pending(store, owner, 5)
    named = [new_delivery_id(), *reversed(ids), *ids]

    claimed = await store.claim_deliveries(owner, named, 3)

    assert [one.delivery.id for one in claimed] == list(reversed(ids))[:3]


async def test_claim_passes_over_what_is_not_due(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """What is being sent, is done, or waits for its retry is not claimed, named or not."""
    held, done, waits = await pending(store, owner, 3)
    claimed = await store.claim_deliveries(owner, [held, done, waits], 3)
    await store.record_attempts([attempted(claimed[1]), attempted(claimed[2], DeliveryState.RETRYING, 60.0)])

    assert await store.claim_deliveries(rival, [held, done, waits], 3) == []
    assert await store.claim_due_deliveries(rival, 3) == []


async def test_claim_due_takes_the_longest_overdue(store: Store, owner: InstanceId) -> None:
    """Whatever is due, the longest overdue first, at most ``limit``."""
    first, second = await pending(store, owner, 1), await pending(store, owner, 1)
    third = await pending(store, owner, 1)

    claimed = await store.claim_due_deliveries(owner, 2)

    assert [one.delivery.id for one in claimed] == first + second
    assert [one.delivery.id for one in await store.claim_due_deliveries(owner, 2)] == third


async def test_claim_gives_each_delivery_to_one(store: Store, second_store: Store, owner: InstanceId) -> None:
    """Of claims and polls at once, each delivery is in one answer."""
    ids = await pending(store, owner, 40)

    answers = await asyncio.gather(
        store.claim_deliveries(owner, ids, 40),
        second_store.claim_deliveries(owner, ids, 40),
        store.claim_due_deliveries(owner, 40),
        second_store.claim_due_deliveries(owner, 40),
    )

    claimed = [one.delivery.id for answer in answers for one in answer]
    assert len(claimed) == len(set(claimed))
    claimed += [one.delivery.id for one in await store.claim_due_deliveries(owner, 40)]
    assert sorted(claimed) == sorted(ids)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.EXHAUSTED])
async def test_record_ends_a_delivery(store: Store, owner: InstanceId, state: DeliveryState) -> None:
    """It is done: nobody's, never due again, and its attempt is on record."""
    claimed = await sending(store, owner)

    assert await store.record_attempts([attempted(claimed, state)]) == [True]

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    kept = detail.delivery
    assert (kept.state, kept.owner, kept.next_attempt_at, kept.tries) == (state, None, None, 1)
    assert kept.finished_at is not None
    assert len(detail.attempts) == 1


async def test_record_keeps_every_field_of_the_attempt(store: Store, owner: InstanceId) -> None:
    """An attempt is read back as it was given."""
    claimed = await sending(store, owner)
    outcome = attempted(claimed, remote_address=None, status=None)

    await store.record_attempts([outcome])

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert detail.attempts == (outcome.attempt,)


async def test_record_of_a_retry_says_when(store: Store, owner: InstanceId) -> None:
    """A retry is due so many seconds from now, and its attempt says so."""
    claimed = await sending(store, owner)

    await store.record_attempts([attempted(claimed, DeliveryState.RETRYING, 30.0)])

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    kept = detail.delivery
    assert (kept.state, kept.owner, kept.finished_at) == (DeliveryState.RETRYING, None, None)
    assert kept.next_attempt_at is not None
    assert detail.attempts[0].next_attempt_at == kept.next_attempt_at
    wait = kept.next_attempt_at - detail.attempts[0].started_at
    assert timedelta(seconds=30) < wait < timedelta(seconds=40)


async def test_record_counts_tries(store: Store, owner: InstanceId) -> None:
    """Tries count what was recorded; attempts are numbered by claims."""
    claimed = await sending(store, owner)
    await store.record_attempts([attempted(claimed, DeliveryState.RETRYING)])

    (again,) = await store.claim_due_deliveries(owner, 1)

    assert (again.delivery.attempt, again.delivery.tries) == (2, 1)


async def test_record_fences_what_is_no_longer_the_owners(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Another owner, another attempt, a done or unknown delivery: False, and nothing of it is stored."""
    claimed = await sending(store, owner)
    outcome = attempted(claimed)
    stranger = attempted(claimed)
    object.__setattr__(stranger, "owner", rival)
    unknown = attempted(claimed)
    object.__setattr__(unknown, "delivery_id", new_delivery_id())

    answers = await store.record_attempts([stranger, attempted(claimed, attempt=5), unknown, outcome, outcome])

    assert answers == [False, False, False, True, False]
    assert await store.record_attempts([outcome]) == [False]
    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert len(detail.attempts) == 1


async def test_record_once_when_two_race(store: Store, second_store: Store, owner: InstanceId) -> None:
    """The same attempts at once through two stores, in opposite orders: each is recorded once, and none deadlocks."""
    claimed = await store.claim_deliveries(owner, await pending(store, owner, 30), 30)
    outcomes = [attempted(one) for one in claimed]

    mine, theirs = await asyncio.gather(
        store.record_attempts(outcomes), second_store.record_attempts(list(reversed(outcomes)))
    )

    assert [here + there for here, there in zip(mine, reversed(theirs), strict=True)] == [1] * 30


async def test_record_and_claim_of_nothing_is_nothing(store: Store, owner: InstanceId) -> None:
    """Empty calls are answered with nothing."""
    assert await store.record_attempts([]) == []
    assert await store.claim_deliveries(owner, [], 5) == []
    assert await store.release_deliveries(owner, []) == []


async def test_release_gives_back_without_an_attempt(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """It is due at once, no attempt recorded; False for those that were no longer the owner's."""
    claimed = await sending(store, owner)
    other = await sending(store, rival)
    refs = [delivery_ref(other), delivery_ref(claimed)]

    assert await store.release_deliveries(owner, refs) == [False, True]

    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert (detail.delivery.state, detail.delivery.owner, detail.attempts) == (DeliveryState.PENDING, None, ())
    (again,) = await store.claim_due_deliveries(rival, 5)
    assert (again.delivery.id, again.delivery.attempt, again.delivery.tries) == (claimed.delivery.id, 2, 0)


async def test_held_are_the_owners_in_sending(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """All that the owner sends, and nothing else."""
    mine, done = await sending(store, owner), await sending(store, owner)
    await sending(store, rival)
    await store.record_attempts([attempted(done)])

    assert await store.held_deliveries(owner) == [delivery_ref(mine)]


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.EXHAUSTED, DeliveryState.RETRYING])
async def test_redeliver_begins_afresh(store: Store, owner: InstanceId, state: DeliveryState) -> None:
    """Due at once with a fresh schedule, same event and bytes; earlier attempts stay on record."""
    claimed = await sending(store, owner)
    await store.record_attempts([attempted(claimed, state, 3600.0)])

    record = await store.redeliver(DEFAULT_TENANT, claimed.delivery.id)

    assert record is not None
    assert (record.state, record.tries, record.finished_at) == (DeliveryState.PENDING, 0, None)
    (again,) = await store.claim_due_deliveries(owner, 5)
    assert (again.body, again.delivery.event_id) == (claimed.body, claimed.delivery.event_id)
    assert again.delivery.attempt == 2
    await store.record_attempts([attempted(again)])
    detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)
    assert detail is not None
    assert [attempt.attempt for attempt in detail.attempts] == [1, 2]


async def test_redeliver_leaves_one_that_is_being_sent(store: Store, owner: InstanceId) -> None:
    """What is being sent is returned as it is, and can still be recorded."""
    claimed = await sending(store, owner)

    assert await store.redeliver(DEFAULT_TENANT, claimed.delivery.id) == claimed.delivery
    assert await store.record_attempts([attempted(claimed)]) == [True]


async def test_redeliver_knows_no_other_tenants_delivery(store: Store, owner: InstanceId) -> None:
    """Another tenant's delivery, and one that is not there, are absent everywhere."""
    claimed = await sending(store, owner)

    assert await store.redeliver(OTHER_TENANT, claimed.delivery.id) is None
    assert await store.redeliver(DEFAULT_TENANT, new_delivery_id()) is None
    assert await store.get_delivery(OTHER_TENANT, claimed.delivery.id) is None
    assert await store.get_delivery(DEFAULT_TENANT, new_delivery_id()) is None
    assert await store.deliveries_of_job(OTHER_TENANT, job_of(claimed)) == []


async def test_deliveries_of_a_job_come_oldest_first(store: Store, owner: InstanceId) -> None:
    """All of a job's deliveries, each with its attempts."""
    claimed = await running(store, owner)
    told = event(claimed.job.id, deliveries=3)
    await store.finish_jobs([ended(claimed, event=told)])
    ids = sorted(new.id for new in told.deliveries)
    (sent,) = await store.claim_deliveries(owner, [ids[1]], 1)
    await store.record_attempts([attempted(sent, DeliveryState.RETRYING)])

    details = await store.deliveries_of_job(DEFAULT_TENANT, claimed.job.id)

    assert [(one.delivery.id, len(one.attempts)) for one in details] == [(ids[0], 0), (ids[1], 1), (ids[2], 0)]


async def test_list_goes_newest_first_by_pages_and_states(store: Store, owner: InstanceId) -> None:
    """Newest first, beginning after ``before``, of the states asked for; none means all; own ones only."""
    ids = sorted(await pending(store, owner, 5), reverse=True)
    claimed = await store.claim_deliveries(owner, ids[1:3], 5)
    await store.record_attempts([attempted(claimed[0], DeliveryState.EXHAUSTED)])

    page = await store.list_deliveries(DEFAULT_TENANT, [], ids[0], 3)
    bad = await store.list_deliveries(DEFAULT_TENANT, [DeliveryState.EXHAUSTED, DeliveryState.SENDING], None, 9)

    assert [kept.id for kept in page] == ids[1:4]
    assert [kept.id for kept in bad] == ids[1:3]
    assert await store.list_deliveries(OTHER_TENANT, [], None, 9) == []


async def test_every_verdict_can_be_kept(store: Store, owner: InstanceId) -> None:
    """Each verdict is read back as it was given."""
    for verdict in Verdict:
        claimed = await sending(store, owner)
        await store.record_attempts([attempted(claimed, DeliveryState.EXHAUSTED, verdict=verdict)])

        detail = await store.get_delivery(DEFAULT_TENANT, claimed.delivery.id)

        assert detail is not None
        assert detail.attempts[0].verdict is verdict


async def test_failure_of_our_proxy_is_charged_to_nobody(store: Store, owner: InstanceId) -> None:
    """The attempt is kept; the schedule and the endpoint's health are as before."""
    endpoint = await registered(store, replace(SETTINGS, rate_limit_per_s=5.0))
    ids = await told(store, owner, 1)
    (claimed,) = await store.claim_deliveries(owner, ids, 1)

    await store.record_attempts([attempted(claimed, DeliveryState.RETRYING, verdict=Verdict.PROXY_FAILED)])

    detail = await store.get_delivery(DEFAULT_TENANT, ids[0])
    found = await store.get_endpoint(DEFAULT_TENANT, endpoint.id)
    assert detail is not None
    assert found is not None
    assert (detail.delivery.state, detail.delivery.tries, len(detail.attempts)) == (DeliveryState.RETRYING, 0, 1)
    assert found.health.failures_in_row == 0
