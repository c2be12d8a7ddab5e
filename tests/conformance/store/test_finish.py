"""``JobStore.finish_jobs``."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.store import Store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_job_id
from ringback_schemas.jobs import AttemptOutcome, JobOutcome
from ringback_schemas.states import JOB_DONE, DeliveryState, JobState
from tests.conformance.store.making import (
    DESTINATION,
    TYPE,
    URL,
    delivery_ids,
    ended,
    event,
    job,
    recorded,
    ref,
    retried,
    running,
    running_jobs,
)

WHILE_RUNNING = [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]


@pytest.mark.parametrize("state", WHILE_RUNNING)
async def test_finish_records_the_end(store: Store, owner: InstanceId, state: JobState) -> None:
    """State, result and time of the end are stored, and nobody owns the job any more."""
    claimed = await running(store, owner)

    answers = await recorded(store, [ended(claimed, state, result=b"[1]", error=b'{"code":"x"}')])

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert answers == [True]
    assert detail is not None
    assert (detail.job.state, detail.job.owner, detail.job.attempt) == (state, None, 1)
    assert (detail.result, detail.error, detail.attempts) == (b"[1]", b'{"code":"x"}', ())
    assert detail.job.finished_at is not None
    assert abs(detail.job.finished_at - datetime.now(UTC)) < timedelta(seconds=5)


async def test_finish_stores_event_and_deliveries(store: Store, owner: InstanceId) -> None:
    """The deliveries of the event are pending and due at once, and carry its bytes."""
    claimed = await running(store, owner)
    told = event(claimed.job.id, deliveries=2)

    await store.finish_jobs([ended(claimed, event=told)])

    details = await store.deliveries_of_job(DEFAULT_TENANT, claimed.job.id)
    assert sorted(one.delivery.id for one in details) == sorted(new.id for new in told.deliveries)
    first = details[0].delivery
    assert (first.event_id, first.event_type, first.url, first.destination) == (told.id, told.type, URL, DESTINATION)
    assert (first.state, first.attempt, first.tries) == (DeliveryState.PENDING, 0, 0)
    sent = await store.claim_deliveries(owner, [first.id], 1)
    assert [(one.body, one.job_created_at) for one in sent] == [(told.body, claimed.job.created_at)]


async def test_finish_without_event_makes_no_delivery(store: Store, owner: InstanceId) -> None:
    """A job with nobody to tell ends all the same."""
    claimed = await running(store, owner)

    assert await recorded(store, [ended(claimed, event=None, result=None)]) == [True]
    assert await store.deliveries_of_job(DEFAULT_TENANT, claimed.job.id) == []


async def test_finish_with_retry_keeps_the_attempt(store: Store, owner: InstanceId) -> None:
    """A ``retrying`` attempt goes into the job's attempts with its error; the job is due after the delay."""
    claimed = await running(store, owner)

    assert await recorded(store, [retried(claimed, retry_in_s=30, error=b'{"code":"timeout"}')]) == [True]

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    (attempt,) = detail.attempts
    assert (attempt.attempt, attempt.outcome, attempt.error) == (1, AttemptOutcome.RETRY, b'{"code":"timeout"}')
    assert (attempt.started_at, attempt.instance_id) == (claimed.job.started_at, owner)
    assert (detail.job.state, detail.job.owner, detail.error) == (JobState.RETRYING, None, None)
    assert detail.job.run_at - attempt.ended_at == timedelta(seconds=30)
    assert (detail.job.finished_at, detail.job.charged_attempts) == (None, 1)


@pytest.mark.parametrize("state", [*JOB_DONE, JobState.RETRYING])
async def test_finish_fences_what_is_done(store: Store, owner: InstanceId, state: JobState) -> None:
    """Nothing is recorded for a job that is done, and nothing of the outcome is stored."""
    claimed = await running(store, owner)
    await store.finish_jobs([ended(claimed, result=b"1")])
    late = ended(claimed, JobState.SUCCEEDED, result=b"2")

    assert await recorded(store, [replace(late, state=state), replace(late, state=state, owner=None)]) == [False] * 2

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    assert (detail.job.state, detail.result, detail.attempts) == (JobState.SUCCEEDED, b"1", ())
    assert len(await store.deliveries_of_job(DEFAULT_TENANT, claimed.job.id)) == 1


async def test_finish_fences_another_owner(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Only the owner's outcome is recorded."""
    claimed = await running(store, owner)

    assert await recorded(store, [ended(claimed, owner=rival), ended(claimed, owner=None)]) == [False, False]
    assert await recorded(store, [ended(claimed)]) == [True]


async def test_finish_fences_another_attempt(store: Store, owner: InstanceId) -> None:
    """A late result of an attempt that was given back does not count, even from the same owner."""
    claimed = await running(store, owner)
    await store.release_jobs(owner, [ref(claimed)])
    (again,) = await store.claim_jobs(owner, [claimed.job.id], [TYPE], 1)

    assert await recorded(store, [ended(claimed)]) == [False]
    assert await recorded(store, [ended(again)]) == [True]


async def test_finish_fences_unknown_jobs(store: Store, owner: InstanceId) -> None:
    """An outcome for a job that is not there is fenced; the others of the call are recorded."""
    claimed = await running(store, owner)
    unknown = ended(claimed, job_id=new_job_id(), event=None)

    assert await recorded(store, [unknown, ended(claimed)]) == [False, True]


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.RETRYING])
async def test_finish_wants_a_running_job(store: Store, state: JobState) -> None:
    """``succeeded``, ``failed`` and ``retrying`` are only recorded for a running job."""
    await store.accept([new := job()])

    assert await recorded(store, [JobOutcome(new.id, 0, None, state)]) == [False]


@pytest.mark.parametrize("state", [JobState.EXPIRED, JobState.CANCELLED])
@pytest.mark.parametrize("delay_s", [0.0, 60.0])
async def test_finish_ends_a_job_that_waits(store: Store, state: JobState, delay_s: float) -> None:
    """A job that waits, queued or scheduled, ends without an attempt as cancelled or expired."""
    await store.accept([new := job(delay_s=delay_s)])
    outcome = JobOutcome(new.id, 0, None, state, event=event(new.id, state))

    assert await recorded(store, [outcome]) == [True]

    detail = await store.get_job(DEFAULT_TENANT, new.id)
    assert detail is not None
    assert detail.job.state is state
    assert len(await store.deliveries_of_job(DEFAULT_TENANT, new.id)) == 1


async def test_finish_expires_a_waiting_retry(store: Store, owner: InstanceId) -> None:
    """A job that waits for its retry can expire; it has no owner then."""
    claimed = await running(store, owner)
    await store.finish_jobs([retried(claimed)])

    assert await recorded(store, [JobOutcome(claimed.job.id, 1, None, JobState.EXPIRED)]) == [True]


async def test_finish_does_not_expire_a_running_job(store: Store, owner: InstanceId) -> None:
    """``expired`` is only recorded for a job that waits."""
    claimed = await running(store, owner)

    assert await recorded(store, [ended(claimed, JobState.EXPIRED)]) == [False]


async def test_finish_does_not_cancel_a_job_claimed_meanwhile(store: Store, owner: InstanceId) -> None:
    """A cancel meant for a waiting job is fenced once somebody runs it."""
    claimed = await running(store, owner)

    assert await recorded(store, [JobOutcome(claimed.job.id, 0, None, JobState.CANCELLED)]) == [False]


async def test_finish_records_one_of_two_outcomes_in_a_call(store: Store, owner: InstanceId) -> None:
    """Of several outcomes for one job in one call, the first that fits is recorded, with its deliveries alone."""
    claimed = await running(store, owner)
    stale = ended(claimed, attempt=7, result=b"stale")
    first, second = ended(claimed, result=b"first"), ended(claimed, result=b"second")

    assert await recorded(store, [stale, first, second]) == [False, True, False]

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    assert detail.result == b"first"
    kept = await store.deliveries_of_job(DEFAULT_TENANT, claimed.job.id)
    assert [one.delivery.id for one in kept] == delivery_ids([first])


async def test_finish_answers_with_what_to_announce(store: Store, owner: InstanceId) -> None:
    """The deliveries of each recorded outcome, none for a retry, and nothing for what is fenced."""
    first, second, third = await running_jobs(store, owner, 3)
    told = event(first.job.id, deliveries=2)

    answers = await store.finish_jobs([ended(first, event=told), retried(second), ended(third, attempt=9)])

    assert answers == [tuple(delivery.id for delivery in told.deliveries), (), None]


async def test_finish_records_each_once_when_two_race(store: Store, second_store: Store, owner: InstanceId) -> None:
    """The same outcomes at once through two stores, in opposite orders: each is recorded once, and none deadlocks."""
    claimed = await running_jobs(store, owner, 40)
    forward = [ended(one) for one in claimed]
    backward = [ended(one) for one in reversed(claimed)]

    mine, theirs = await asyncio.gather(recorded(store, forward), recorded(second_store, backward))

    assert [here + there for here, there in zip(mine, reversed(theirs), strict=True)] == [1] * 40


async def test_finish_waits_for_a_row_that_is_held(store: Store, second_store: Store, owner: InstanceId) -> None:
    """A good result is never fenced because somebody asks for the job's cancellation in that moment."""
    claimed = await running_jobs(store, owner, 30)

    answers, *_ = await asyncio.gather(
        recorded(store, [ended(one) for one in claimed]),
        *(second_store.request_cancel(DEFAULT_TENANT, one.job.id) for one in claimed),
    )

    assert answers == [True] * 30


async def test_finish_mixes_every_outcome(store: Store, owner: InstanceId) -> None:
    """Outcomes of all kinds go into one call, each answered in its place."""
    claimed = await running_jobs(store, owner, 4)
    await store.accept([waiting := job()])
    outcomes = [
        ended(claimed[0]),
        JobOutcome(waiting.id, 0, None, JobState.EXPIRED, event=event(waiting.id, JobState.EXPIRED, 0)),
        retried(claimed[1], 5),
        ended(claimed[2], JobState.FAILED, result=None, error=b"{}"),
        ended(claimed[3], attempt=9),
    ]

    assert await recorded(store, outcomes) == [True, True, True, True, False]


async def test_finish_stores_nothing_of_a_call_with_a_refused_row(store: Store, owner: InstanceId) -> None:
    """A value that the database will not have is ``RowRefused``, and none of the call is stored."""
    good, bad = await running_jobs(store, owner, 2)
    known = ended(good)
    doubled = ended(bad, event=known.event)

    with pytest.raises(RowRefused):
        await store.finish_jobs([known, doubled])

    detail = await store.get_job(DEFAULT_TENANT, good.job.id)
    assert detail is not None
    assert (detail.job.state, detail.result) == (JobState.RUNNING, None)
    assert await recorded(store, [known]) == [True]


async def test_finish_of_nothing_is_nothing(store: Store) -> None:
    """An empty call is answered with nothing."""
    assert await recorded(store, []) == []


async def test_retry_of_a_job_that_shall_be_cancelled_is_due_at_once(store: Store, owner: InstanceId) -> None:
    """Whoever asked for the cancel does not wait for the backoff: the next worker ends the job."""
    claimed = await running(store, owner)
    await store.request_cancel(DEFAULT_TENANT, claimed.job.id)

    await store.finish_jobs([retried(claimed, 3_600)])

    (again,) = await store.claim_jobs(owner, [claimed.job.id], [TYPE], 1)
    assert (again.job.attempt, again.job.is_cancel_requested) == (2, True)
