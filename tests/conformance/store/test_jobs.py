"""The rest of ``JobStore``: giving back, progress, cancelling, expiry, reading and listing."""

from datetime import UTC, datetime, timedelta

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_job_id
from ringback_schemas.jobs import AttemptOutcome, JobFilter, JobOutcome, JobRef
from ringback_schemas.states import JobState
from tests.conformance.store.making import (
    FUTURE,
    OTHER_TENANT,
    PAST,
    TYPE,
    ended,
    job,
    ref,
    retried,
    running,
    running_jobs,
)


async def test_release_queues_the_job_again_uncharged(store: Store, owner: InstanceId) -> None:
    """A job that was given back is due at once and has lost no attempt."""
    claimed = await running(store, owner)

    assert await store.release_jobs(owner, [ref(claimed)]) == [True]

    (again,) = await store.claim_due_jobs(owner, ["default"], [TYPE], 5)
    assert (again.job.attempt, again.job.uncharged, again.job.charged_attempts) == (2, 1, 1)
    assert again.job.losses == 0


async def test_release_keeps_the_attempt_on_record(store: Store, owner: InstanceId) -> None:
    """An attempt that was given back is among the job's attempts."""
    claimed = await running(store, owner)

    await store.release_jobs(owner, [ref(claimed)])

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    assert [(one.attempt, one.outcome, one.instance_id) for one in detail.attempts] == [
        (1, AttemptOutcome.RELEASED, owner)
    ]
    assert (detail.job.state, detail.job.owner) == (JobState.QUEUED, None)


async def test_release_leaves_what_is_no_longer_the_owners(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """False for a job that is done, another's, at another attempt, unknown, or named twice; True for the others."""
    mine, done, other, stale = await running_jobs(store, owner, 4)
    await store.finish_jobs([ended(done)])
    await store.release_jobs(owner, [ref(other)])
    await store.claim_jobs(rival, [other.job.id], [TYPE], 1)
    unknown = JobRef(new_job_id(), 1, "default")
    refs = [ref(done), ref(other), JobRef(stale.job.id, 7, "default"), unknown, ref(mine), ref(mine)]

    assert await store.release_jobs(owner, refs) == [False, False, False, False, True, False]


async def test_progress_keeps_the_newest(store: Store, owner: InstanceId) -> None:
    """What a running task tells last is what is read."""
    claimed = await running(store, owner)

    assert await store.save_progress(owner, claimed.job.id, 1, 0.25, "a quarter")
    assert await store.save_progress(owner, claimed.job.id, 1, None, "nearly")

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    assert detail.progress is not None
    assert (detail.progress.fraction, detail.progress.message) == (None, "nearly")


async def test_progress_of_another_is_refused(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """False, and nothing stored, for another owner, another attempt, and a job that is done."""
    claimed = await running(store, owner)

    assert not await store.save_progress(rival, claimed.job.id, 1, 0.5, None)
    assert not await store.save_progress(owner, claimed.job.id, 2, 0.5, None)
    await store.finish_jobs([ended(claimed)])
    assert not await store.save_progress(owner, claimed.job.id, 1, 0.5, None)

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    assert detail.progress is None


async def test_cancel_asks_the_owner_of_a_running_job(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """The request is seen by the owner, and by nobody else, until the job is ended."""
    claimed = await running(store, owner)

    asked = await store.request_cancel(DEFAULT_TENANT, claimed.job.id)

    assert asked is not None
    assert (asked.is_cancel_requested, asked.state, asked.tags) == (True, JobState.RUNNING, ())
    assert await store.cancel_requests(owner) == [ref(claimed)]
    assert await store.cancel_requests(rival) == []
    await store.finish_jobs([ended(claimed, JobState.CANCELLED)])
    assert await store.cancel_requests(owner) == []


async def test_cancel_changes_nothing_that_waits_or_is_done(store: Store, owner: InstanceId) -> None:
    """Only a running job has an owner to ask; another is returned as it is."""
    await store.accept([waiting := job()])
    done = await running(store, owner)
    await store.finish_jobs([ended(done)])

    for job_id, state in ((waiting.id, JobState.QUEUED), (done.job.id, JobState.SUCCEEDED)):
        found = await store.request_cancel(DEFAULT_TENANT, job_id)
        assert found is not None
        assert (found.state, found.is_cancel_requested) == (state, False)


async def test_cancel_is_not_forgotten_by_a_release(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """A job that was to be stopped and changes its owner is to be stopped there."""
    claimed = await running(store, owner)
    await store.request_cancel(DEFAULT_TENANT, claimed.job.id)
    await store.release_jobs(owner, [ref(claimed)])

    (again,) = await store.claim_jobs(rival, [claimed.job.id], [TYPE], 1)

    assert again.job.is_cancel_requested
    assert await store.cancel_requests(rival) == [ref(again)]


async def test_cancel_knows_no_other_tenants_job(store: Store, owner: InstanceId) -> None:
    """Another tenant's job, and one that is not there, are both absent."""
    claimed = await running(store, owner)

    assert await store.request_cancel(OTHER_TENANT, claimed.job.id) is None
    assert await store.request_cancel(DEFAULT_TENANT, new_job_id()) is None
    assert await store.cancel_requests(owner) == []


async def test_held_are_the_owners_running_jobs(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """All that the owner runs, and nothing that waits, is done or runs elsewhere."""
    mine, done = await running_jobs(store, owner, 2)
    await running(store, rival)
    await store.accept([job()])
    await store.finish_jobs([ended(done)])

    assert await store.held_jobs(owner) == [ref(mine)]


async def test_expired_are_those_that_wait_too_long(store: Store, owner: InstanceId) -> None:
    """Waiting jobs whose ``expires_at`` has passed, oldest first, at most ``limit``; no running or ended ones."""
    run = await running(store, owner, expires_at=FUTURE)
    jobs = [job(expires_at=PAST + timedelta(seconds=number), delay_s=float(number % 2)) for number in range(4)]
    await store.accept([*reversed(jobs), job(), job(expires_at=FUTURE)])
    await store.finish_jobs([JobOutcome(jobs[0].id, 0, None, JobState.EXPIRED), retried(run)])

    assert [kept.id for kept in await store.expired_jobs(2)] == [jobs[1].id, jobs[2].id]
    assert [kept.id for kept in await store.expired_jobs(9)] == [jobs[1].id, jobs[2].id, jobs[3].id]


async def test_get_knows_no_other_tenants_job(store: Store) -> None:
    """A job of another tenant, and one that is not there, are both absent."""
    await store.accept([new := job()])

    assert await store.get_job(OTHER_TENANT, new.id) is None
    assert await store.get_job(DEFAULT_TENANT, new_job_id()) is None


async def test_get_gives_attempts_oldest_first(store: Store, owner: InstanceId) -> None:
    """Every attempt that did not end the job is there, in order."""
    claimed = await running(store, owner)
    await store.finish_jobs([retried(claimed)])
    (second,) = await store.claim_jobs(owner, [claimed.job.id], [TYPE], 1)
    await store.release_jobs(owner, [ref(second)])
    (third,) = await store.claim_jobs(owner, [claimed.job.id], [TYPE], 1)
    await store.finish_jobs([ended(third)])

    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)

    assert detail is not None
    assert [(one.attempt, one.outcome) for one in detail.attempts] == [
        (1, AttemptOutcome.RETRY),
        (2, AttemptOutcome.RELEASED),
    ]
    assert (detail.job.attempt, detail.job.charged_attempts) == (3, 2)


async def test_list_goes_newest_first_by_pages(store: Store) -> None:
    """Pages follow each other without a gap or a repeat, newest first."""
    jobs = [job() for _ in range(7)]
    await store.accept(jobs)
    newest = sorted((new.id for new in jobs), reverse=True)

    first = await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 3)
    second = await store.list_jobs(DEFAULT_TENANT, JobFilter(), first[-1].id, 3)
    third = await store.list_jobs(DEFAULT_TENANT, JobFilter(), second[-1].id, 3)

    assert [kept.id for kept in first + second + third] == newest
    assert len(third) == 1


async def test_list_shows_a_tenant_its_own(store: Store) -> None:
    """No tenant sees another's jobs, tagged or not."""
    await store.accept([mine := job(tags=("t",)), job(tenant_id=OTHER_TENANT, tags=("t",))])

    assert [kept.id for kept in await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 9)] == [mine.id]
    assert [kept.id for kept in await store.list_jobs(DEFAULT_TENANT, JobFilter(tag="t"), None, 9)] == [mine.id]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (JobFilter(), {0, 1, 2, 3}),
        (JobFilter(states=(JobState.QUEUED,)), {0, 1}),
        (JobFilter(states=(JobState.SCHEDULED, JobState.FAILED)), {2, 3}),
        (JobFilter(type="report.csv"), {1}),
        (JobFilter(queue="slow"), {2}),
        (JobFilter(tag="red"), {0, 2}),
        (JobFilter(tag="red", states=(JobState.QUEUED,)), {0}),
        (JobFilter(tag="green"), set()),
        (JobFilter(created_after=PAST), {0, 1, 2, 3}),
        (JobFilter(created_after=datetime.min.replace(tzinfo=UTC)), {0, 1, 2, 3}),
        (JobFilter(created_after=FUTURE), set()),
    ],
)
async def test_list_narrows_by_every_field(store: Store, owner: InstanceId, wanted: JobFilter, found: set[int]) -> None:
    """Fields that are given narrow, together; absent ones do not."""
    jobs = [job(tags=("red", "blue")), job(type="report.csv"), job(queue="slow", tags=("red",), delay_s=60.0), job()]
    await store.accept(jobs)
    (claimed,) = await store.claim_jobs(owner, [jobs[3].id], [TYPE], 1)
    await store.finish_jobs([ended(claimed, JobState.FAILED)])

    listed = await store.list_jobs(DEFAULT_TENANT, wanted, None, 10)

    assert {kept.id for kept in listed} == {jobs[number].id for number in found}


async def test_list_pages_a_tag(store: Store) -> None:
    """A page within a tag goes on after ``before`` too."""
    jobs = [job(tags=("t",)) for _ in range(5)]
    await store.accept([*jobs, job()])
    newest = sorted((new.id for new in jobs), reverse=True)

    page = await store.list_jobs(DEFAULT_TENANT, JobFilter(tag="t"), newest[1], 2)

    assert [kept.id for kept in page] == newest[2:4]
