"""``JobStore.claim_jobs`` and ``claim_due_jobs``."""

import asyncio
from datetime import timedelta

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_job_id
from ringback_schemas.jobs import JobFilter
from ringback_schemas.states import JobState
from tests.conformance.store.making import FUTURE, PAST, TYPE, ended, job, retried, running
from tests.waiting import eventually

QUEUES = ["default"]


async def test_claim_makes_the_job_the_owners(store: Store, owner: InstanceId) -> None:
    """A claimed job is ``running``, belongs to the owner, its attempt is one more, and it brings its payload."""
    await store.accept([new := job(tags=("a",), callback_events=("job.failed",))])

    (claimed,) = await store.claim_jobs(owner, [new.id], [TYPE], 5)

    kept = claimed.job
    assert (kept.id, kept.state, kept.owner, kept.attempt) == (new.id, JobState.RUNNING, owner, 1)
    assert kept.started_at is not None
    assert (kept.tags, kept.callback_events, claimed.payload) == (("a",), ("job.failed",), new.payload)


async def test_claim_answers_with_what_is_stored(store: Store, owner: InstanceId) -> None:
    """The record that a claim hands out is the stored one."""
    claimed = await running(store, owner, expires_at=FUTURE)

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)

    assert detail is not None
    assert detail.job == claimed.job


async def test_claim_answers_in_the_order_of_the_ids(store: Store, owner: InstanceId) -> None:
    """The answer is in the order of ``job_ids``, whatever the order of birth."""
    jobs = [job() for _ in range(20)]
    await store.accept(jobs)
    ids = [new.id for new in reversed(jobs)]

    claimed = await store.claim_jobs(owner, ids, [TYPE], 100)

    assert [one.job.id for one in claimed] == ids


async def test_claim_leaves_the_rest(store: Store, owner: InstanceId) -> None:
    """At most ``limit`` are claimed, the first named; the rest is left as it is."""
    jobs = [job() for _ in range(5)]
    await store.accept(jobs)

    claimed = await store.claim_jobs(owner, [new.id for new in jobs], [TYPE], 3)

    assert [one.job.id for one in claimed] == [new.id for new in jobs[:3]]
    left = await store.list_jobs(DEFAULT_TENANT, JobFilter(states=(JobState.QUEUED,)), None, 10)
    assert {(one.id, one.attempt) for one in left} == {(new.id, 0) for new in jobs[3:]}


@pytest.mark.parametrize(
    "fields",
    [{"run_at": FUTURE}, {"expires_at": PAST}, {"type": "report.csv"}],
    ids=["later", "expired", "other type"],
)
async def test_claim_takes_only_what_may_start(store: Store, owner: InstanceId, fields: dict[str, object]) -> None:
    """A job that is yet to come, expired, or of a type not asked for is not claimed, named or not."""
    await store.accept([new := job(**fields)])

    assert await store.claim_jobs(owner, [new.id], [TYPE], 5) == []
    assert await store.claim_due_jobs(owner, QUEUES, [TYPE], 5) == []


async def test_claim_takes_a_scheduled_job_whose_time_has_come(store: Store, owner: InstanceId) -> None:
    """A scheduled job is ready once its ``run_at`` has come."""
    await store.accept([new := job(delay_s=0.05)])

    claimed = await eventually(lambda: store.claim_jobs(owner, [new.id], [TYPE], 5))

    assert [one.job.id for one in claimed] == [new.id]


async def test_claim_passes_over_what_is_held_or_done(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Neither a running nor a finished job is claimed."""
    held = await running(store, owner)
    done = await running(store, owner)
    await store.finish_jobs([ended(done)])

    ids = [held.job.id, done.job.id]

    assert await store.claim_jobs(rival, ids, [TYPE], 5) == []
    assert await store.claim_due_jobs(rival, QUEUES, [TYPE], 5) == []


async def test_claim_ignores_unknown_and_repeated_ids(store: Store, owner: InstanceId) -> None:
    """Unknown ids are ignored, and one named twice is claimed once."""
    await store.accept([new := job()])

    claimed = await store.claim_jobs(owner, [new_job_id(), new.id, new.id], [TYPE], 5)

    assert [one.job.id for one in claimed] == [new.id]


async def test_claim_counts_attempts(store: Store, owner: InstanceId) -> None:
    """Each claim is one more attempt."""
    first = await running(store, owner)
    await store.finish_jobs([retried(first)])

    (again,) = await store.claim_jobs(owner, [first.job.id], [TYPE], 5)

    assert again.job.attempt == 2


async def test_claim_of_nothing_is_nothing(store: Store, owner: InstanceId) -> None:
    """No ids, no types or no room: nothing is claimed."""
    await store.accept([new := job()])

    assert await store.claim_jobs(owner, [], [TYPE], 5) == []
    assert await store.claim_jobs(owner, [new.id], [], 5) == []
    assert await store.claim_due_jobs(owner, QUEUES, [], 5) == []
    assert await store.claim_due_jobs(owner, [], [TYPE], 5) == []


async def test_claim_gives_each_job_to_one(store: Store, second_store: Store, owner: InstanceId) -> None:
    """Of claims for the same jobs at once, each job is in one answer."""
    jobs = [job() for _ in range(60)]
    await store.accept(jobs)
    ids = [new.id for new in jobs]

    answers = await asyncio.gather(
        *(one.claim_jobs(owner, ids, [TYPE], 60) for one in (store, second_store, store, second_store))
    )

    claimed = [one.job.id for answer in answers for one in answer]
    assert sorted(claimed) == sorted(ids)


async def test_claim_due_gives_each_job_to_one(store: Store, second_store: Store, owner: InstanceId) -> None:
    """Of polls at once, each job is in one answer."""
    jobs = [job() for _ in range(60)]
    await store.accept(jobs)
    claimed: list[str] = []

    while len(claimed) < 60:
        polls = (one.claim_due_jobs(owner, QUEUES, [TYPE], 7) for one in (store, second_store, store, second_store))
        answers = await asyncio.gather(*polls)
        claimed += [one.job.id for answer in answers for one in answer]

    assert sorted(claimed) == sorted(new.id for new in jobs)


async def test_claim_due_goes_by_priority_then_age(store: Store, owner: InstanceId) -> None:
    """Greatest priority first, then the oldest ``run_at``, over queues and types."""
    jobs = [
        job(priority=0, run_at=PAST + timedelta(seconds=2), queue="b"),
        job(priority=5, run_at=PAST + timedelta(seconds=3), type="x"),
        job(priority=0, run_at=PAST + timedelta(seconds=1)),
        job(priority=5, run_at=PAST + timedelta(seconds=1), queue="b"),
        job(priority=-3, run_at=PAST),
        job(priority=0, run_at=PAST, type="x", queue="b"),
    ]
    await store.accept(jobs)

    claimed = await store.claim_due_jobs(owner, ["default", "b"], [TYPE, "x"], 10)

    assert [jobs.index(next(new for new in jobs if new.id == one.job.id)) for one in claimed] == [3, 1, 5, 2, 0, 4]


async def test_claim_due_stops_at_the_limit(store: Store, owner: InstanceId) -> None:
    """At most ``limit``, the first of the order."""
    jobs = [job(priority=number % 3, run_at=PAST + timedelta(seconds=number)) for number in range(12)]
    await store.accept(jobs)

    claimed = await store.claim_due_jobs(owner, QUEUES, [TYPE], 5)

    order = sorted(jobs, key=lambda new: (-new.priority, new.run_at or PAST))
    assert [one.job.id for one in claimed] == [new.id for new in order[:5]]


async def test_claim_due_keeps_to_its_queues(store: Store, owner: InstanceId) -> None:
    """Jobs of other queues are left, however urgent."""
    await store.accept([job(queue="other", priority=100), mine := job(queue="mine")])

    claimed = await store.claim_due_jobs(owner, ["mine", "mine"], [TYPE, TYPE], 10)

    assert [one.job.id for one in claimed] == [mine.id]


async def test_claim_due_takes_retries_that_are_due(store: Store, owner: InstanceId) -> None:
    """A retry whose time has come is due; one that is yet to come is not."""
    due = await running(store, owner)
    later = await running(store, owner)
    await store.finish_jobs([retried(due), retried(later, retry_in_s=60)])

    claimed = await store.claim_due_jobs(owner, QUEUES, [TYPE], 10)

    assert [one.job.id for one in claimed] == [due.job.id]
