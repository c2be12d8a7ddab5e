"""What is purged, what holds it, and what is left."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, JobId
from ringback_schemas.jobs import Replayed
from ringback_schemas.retention import Chore, Purge, Retention
from ringback_schemas.states import DeliveryState, JobState
from tests.conformance.store.ageing import aged, count, old_job_id, tables_with
from tests.conformance.store.making import (
    FUTURE,
    OTHER_TENANT,
    SETTINGS,
    attempted,
    delivery,
    delivery_ids,
    ended,
    event,
    job,
    key,
    recorded,
    registered,
    retried,
    running,
    secret,
)

NEEDLE = "a-word-that-is-nowhere-else"
KEEP = Retention()
FOR_EVER = Retention(0, 0)
OF_JOBS = {
    *("jobs", "job_requests", "job_results", "job_tags", "job_progress", "job_attempts"),
    *("events", "deliveries", "delivery_targets", "delivery_attempts"),
}


async def swept(store: Store, chore: Chore = Chore.JOBS, retention: Retention = KEEP, limit: int = 100) -> int:
    """How many a whole walk purges."""
    place, total = "", 0
    while True:
        step = await store.sweep(chore, retention, place, limit)
        total, place = total + step.count, step.place
        if not step.is_more:
            return total


async def done(store: Store, owner: InstanceId, number: int = 0, **fields: Any) -> JobId:
    """A job, accepted long ago, that has ended with one webhook, which was delivered; full of the needle."""
    claimed = await running(
        store, owner, id=old_job_id(number), payload=f'"{NEEDLE}"'.encode(), tags=(NEEDLE,), **fields
    )
    await store.save_progress(owner, claimed.job.id, 1, 0.5, NEEDLE)
    await store.finish_jobs([retried(claimed, error=NEEDLE.encode())])
    (again,) = await store.claim_jobs(owner, [claimed.job.id], [claimed.job.type], 1)
    told = replace(event(claimed.job.id), body=NEEDLE.encode(), tenant_id=claimed.job.tenant_id)
    outcome = ended(again, result=f'"{NEEDLE}"'.encode(), event=told)
    assert await recorded(store, [outcome]) == [True]
    (sent,) = await store.claim_deliveries(owner, delivery_ids([outcome]), 1)
    await store.record_attempts([attempted(sent, reason=NEEDLE, response_prefix=NEEDLE.encode())])
    return claimed.job.id


async def test_purged_job_is_nowhere_any_more(store: Store, owner: InstanceId, database_url: str) -> None:
    """No table holds anything of its payload, result, tags, errors, progress, webhook or answers."""
    job_id = await done(store, owner)
    assert len(await tables_with(database_url, NEEDLE)) >= 6

    assert await store.purge_job(DEFAULT_TENANT, job_id) is Purge.PURGED

    assert await tables_with(database_url, NEEDLE) == set()
    assert await tables_with(database_url, job_id) == {"purged_jobs"}


async def test_purged_job_leaves_that_it_was(store: Store, owner: InstanceId) -> None:
    """Its type, how and when it ended, and when it was purged; for its own tenant."""
    job_id = await done(store, owner)
    before = await store.get_job(DEFAULT_TENANT, job_id)

    await store.purge_job(DEFAULT_TENANT, job_id)

    left = await store.find_purged(DEFAULT_TENANT, job_id)
    assert before is not None
    assert left is not None
    assert (left.id, left.type, left.state) == (job_id, before.job.type, JobState.SUCCEEDED)
    assert left.finished_at == before.job.finished_at
    assert left.finished_at <= left.purged_at
    assert await store.get_job(DEFAULT_TENANT, job_id) is None
    assert await store.find_purged(OTHER_TENANT, job_id) is None


async def test_only_a_job_that_is_done_is_purged(store: Store, owner: InstanceId) -> None:
    """One that waits or runs is left as it is, and another tenant's is not even known."""
    waiting = job()
    await store.accept([waiting])
    claimed = await running(store, owner)
    other = await done(store, owner, tenant_id=OTHER_TENANT)

    answers = [await store.purge_job(DEFAULT_TENANT, one) for one in (waiting.id, claimed.job.id, other)]

    assert answers == [Purge.NOT_DONE, Purge.NOT_DONE, Purge.UNKNOWN]
    assert await store.get_job(DEFAULT_TENANT, waiting.id) is not None
    assert await store.get_job(OTHER_TENANT, other) is not None


async def test_purged_on_request_with_its_webhooks(store: Store, owner: InstanceId) -> None:
    """One that waits is never sent, and the record of one that is being sent is fenced."""
    claimed = await running(store, owner)
    outcome = ended(claimed, event=event(claimed.job.id, deliveries=2))
    await store.finish_jobs([outcome])
    sending, waiting = delivery_ids([outcome])
    (sent,) = await store.claim_deliveries(owner, [sending], 1)

    assert await store.purge_job(DEFAULT_TENANT, claimed.job.id) is Purge.PURGED

    assert await store.record_attempts([attempted(sent)]) == [False]
    assert await store.claim_deliveries(owner, [waiting], 1) == []


async def test_two_purges_of_one_job(store: Store, second_store: Store, owner: InstanceId) -> None:
    """One of them does it, and nothing breaks."""
    job_id = await done(store, owner)

    answers = await asyncio.gather(*(one.purge_job(DEFAULT_TENANT, job_id) for one in (store, second_store)))

    assert sorted(answers) == [Purge.PURGED, Purge.UNKNOWN]


async def test_sweep_purges_what_is_over(store: Store, owner: InstanceId, database_url: str) -> None:
    """With all that belongs to it, leaving the tombstone; a key outlives it when keys are kept longer."""
    ids = [await done(store, owner, number, idempotency=key(f"k{number}")) for number in range(3)]
    await aged(database_url, "jobs", "deliveries", "events")

    assert await swept(store) == 3

    assert [await count(database_url, table) for table in OF_JOBS] == [0] * len(OF_JOBS)
    assert await store.find_purged(DEFAULT_TENANT, ids[0]) is not None
    assert await store.find_replay(DEFAULT_TENANT, key("k0")) == Replayed(ids[0])


async def test_sweep_leaves_what_is_not_over(store: Store, owner: InstanceId, database_url: str) -> None:
    """A job that ended a moment ago, however old; one that waits or runs; and everything when it is for ever."""
    fresh = await done(store, owner, 1)
    assert await swept(store) == 0

    await store.accept([job(id=old_job_id(2))])
    await running(store, owner, id=old_job_id(3))
    await aged(database_url)

    assert await swept(store, retention=FOR_EVER) == 0
    assert await swept(store) == 1
    assert await store.find_purged(DEFAULT_TENANT, fresh) is not None
    assert await count(database_url, "jobs") == 2


@pytest.mark.parametrize("state", ["pending", "sending", "retrying"])
async def test_sweep_waits_for_every_webhook(store: Store, owner: InstanceId, database_url: str, state: str) -> None:
    """A delivery that has yet to end keeps its job, however old that is (F60); redelivered, too."""
    job_id = await done(store, owner)
    (told,) = await store.deliveries_of_job(DEFAULT_TENANT, job_id)
    await store.redeliver(DEFAULT_TENANT, told.delivery.id)
    if state != "pending":
        (sent,) = await store.claim_deliveries(owner, [told.delivery.id], 1)
        if state == "retrying":
            await store.record_attempts([attempted(sent, DeliveryState.RETRYING, 3600.0)])
    await aged(database_url)

    assert await swept(store) == 0

    assert await store.get_job(DEFAULT_TENANT, job_id) is not None


async def test_sweep_counts_from_the_end_of_the_last_webhook(
    store: Store, owner: InstanceId, database_url: str
) -> None:
    """One that was given up a moment ago can still be seen, and sent again."""
    job_id = await done(store, owner)
    await aged(database_url, "jobs", "events")
    assert await swept(store) == 0

    await aged(database_url, "deliveries")

    assert await swept(store) == 1
    assert await store.get_job(DEFAULT_TENANT, job_id) is None


async def test_parked_delivery_does_not_keep_its_job(store: Store, owner: InstanceId, database_url: str) -> None:
    """A receiver that is gone for good would keep everything."""
    endpoint = await registered(store)
    await done(store, owner)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    await aged(database_url)

    assert await swept(store) == 1

    assert await count(database_url, "deliveries") == 0


async def test_sweep_takes_bounded_steps(store: Store, owner: InstanceId, database_url: str) -> None:
    """Each purges at most the limit, and says where to go on."""
    for number in range(5):
        await done(store, owner, number)
    await aged(database_url)

    step = await store.sweep(Chore.JOBS, KEEP, "", 2)
    rest = await store.sweep(Chore.JOBS, KEEP, step.place, 2)
    last = await store.sweep(Chore.JOBS, KEEP, rest.place, 2)

    assert [step.count, rest.count, last.count] == [2, 2, 1]
    assert [step.is_more, rest.is_more, last.is_more] == [True, True, False]
    assert (step.place, last.place) == (old_job_id(1), "")


async def test_sweeps_at_once_purge_each_job_once(
    store: Store, second_store: Store, owner: InstanceId, database_url: str
) -> None:
    """Whoever comes while another is at it does nothing."""
    for number in range(6):
        await done(store, owner, number)
    await aged(database_url)

    steps = await asyncio.gather(*(one.sweep(Chore.JOBS, KEEP, "", 3) for one in (store, second_store) * 3))
    left = await swept(store)

    assert sum(step.count for step in steps) + left == 6
    assert await count(database_url, "purged_jobs") == 6


async def test_event_of_no_job_goes_when_its_deliveries_ended(
    store: Store, owner: InstanceId, database_url: str
) -> None:
    """While one waits it stays, too; that of a job goes with its job."""
    sent, waiting = delivery(), delivery()
    await store.add_event(replace(event(None), deliveries=(sent,)))
    (claimed,) = await store.claim_deliveries(owner, [sent.id], 1)
    await store.record_attempts([attempted(claimed)])
    await store.add_event(replace(event(None), deliveries=(waiting,)))
    await store.add_event(replace(event(None), deliveries=()))
    job_id = await done(store, owner)
    await aged(database_url)

    assert await swept(store, Chore.EVENTS) == 2

    assert await store.get_delivery(DEFAULT_TENANT, sent.id) is None
    assert await store.get_delivery(DEFAULT_TENANT, waiting.id) is not None
    assert len(await store.deliveries_of_job(DEFAULT_TENANT, job_id)) == 1


async def test_event_that_its_job_left_behind_is_swept(store: Store, owner: InstanceId, database_url: str) -> None:
    """An earlier version did not note which event a job ended with."""
    claimed = await running(store, owner)
    await store.finish_jobs([ended(claimed, result=None, event=event(claimed.job.id, deliveries=0))])
    await store.purge_job(DEFAULT_TENANT, claimed.job.id)
    assert await count(database_url, "events") == 1
    await aged(database_url)

    assert await swept(store, Chore.EVENTS) == 1


async def test_old_keys_are_forgotten(store: Store, database_url: str) -> None:
    """Then they are free again; young ones are kept, and all of them when it is for ever."""
    await store.accept([job(idempotency=key(name)) for name in ("a", "b")])
    await aged(database_url, "idempotency_keys")
    await store.accept([job(idempotency=key("c"))])

    assert await swept(store, Chore.KEYS, FOR_EVER) == 0
    assert await swept(store, Chore.KEYS, limit=1) == 2

    assert await store.find_replay(DEFAULT_TENANT, key("a")) is None
    assert await store.find_replay(DEFAULT_TENANT, key("c")) is not None


async def test_secrets_that_sign_no_more_are_forgotten(store: Store, database_url: str) -> None:
    """A tenant's as well as an endpoint's; the live ones stay, with an end in the future or without one."""
    endpoint = await registered(store, SETTINGS)
    await store.rotate_signing_secret(DEFAULT_TENANT, secret(), FUTURE)
    await store.rotate_endpoint_secret(DEFAULT_TENANT, endpoint.id, secret(), FUTURE)
    await aged(database_url, "signing_secrets")

    assert await swept(store, Chore.SECRETS) == 2

    assert len(await store.signing_secrets(DEFAULT_TENANT)) == 1
    assert len(await store.endpoint_secrets(DEFAULT_TENANT, endpoint.id)) == 1
    assert await count(database_url, "signing_secrets") == 3


async def test_tombstones_do_not_last_for_ever(store: Store, owner: InstanceId, database_url: str) -> None:
    """As long again as the job was kept."""
    job_id = await done(store, owner)
    await store.purge_job(DEFAULT_TENANT, job_id)
    assert await swept(store, Chore.TOMBSTONES) == 0
    await aged(database_url, "purged_jobs")

    assert await swept(store, Chore.TOMBSTONES) == 1

    assert await store.find_purged(DEFAULT_TENANT, job_id) is None
