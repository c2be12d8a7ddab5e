"""``InstanceStore``: heartbeats, leases, rescue, and counting."""

import asyncio

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import Verdict
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, new_instance_id
from ringback_schemas.instances import Rescue, Role
from ringback_schemas.jobs import AttemptOutcome
from ringback_schemas.states import DeliveryState, JobState
from ringback_schemas.tallies import QueueTally
from tests.conformance.store.making import (
    ALL_SILENT,
    FUTURE,
    PAST,
    TYPE,
    attempted,
    ended,
    instance,
    job,
    recorded,
    ref,
    retried,
    running,
    running_jobs,
    sending,
)

NONE_SILENT = 600.0


async def test_beat_registers_the_instance(store: Store, owner: InstanceId) -> None:
    """The first beat registers, complete."""
    await store.beat(instance(owner, role=Role.SERVE, queues=("a", "b"), task_types=("x",)))

    (kept,) = await store.list_instances()

    assert (kept.id, kept.role, kept.host, kept.pid, kept.version) == (owner, Role.SERVE, "host", 42, "1.0")
    assert (kept.queues, kept.task_types, kept.is_draining) == (("a", "b"), ("x",), False)


async def test_beat_again_moves_the_heartbeat(store: Store, owner: InstanceId) -> None:
    """A later beat renews the heartbeat and says whether it drains; the start stays."""
    await store.beat(instance(owner))
    (first,) = await store.list_instances()

    await store.beat(instance(owner), is_draining=True)

    (second,) = await store.list_instances()
    assert second.started_at == first.started_at
    assert second.heartbeat_at > first.heartbeat_at
    assert second.is_draining


async def test_instances_come_oldest_first(store: Store) -> None:
    """All that are registered, oldest first."""
    ids = [new_instance_id() for _ in range(3)]
    for one in reversed(ids):
        await store.beat(instance(one))

    assert [kept.id for kept in await store.list_instances()] == list(reversed(ids))


async def test_rescue_leaves_the_living_alone(store: Store, owner: InstanceId) -> None:
    """What belongs to an instance that beats is its own."""
    await store.beat(instance(owner))
    claimed, sent = await running(store, owner), await sending(store, owner)

    assert await store.rescue(NONE_SILENT, 3, 100) == Rescue()

    assert await recorded(store, [ended(claimed)]) == [True]
    assert await store.record_attempts([attempted(sent)]) == [True]


async def test_rescue_takes_jobs_of_the_silent(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Its jobs are queued again, uncharged, with one more loss and the lost attempt on record."""
    await store.beat(instance(owner))
    claimed = await running(store, owner)

    rescue = await store.rescue(ALL_SILENT, 3, 100)

    assert rescue.jobs == (ref(claimed),)
    (again,) = await store.claim_jobs(rival, [claimed.job.id], [TYPE], 1)
    assert (again.job.attempt, again.job.uncharged, again.job.losses) == (2, 1, 1)
    detail = await store.get_job(DEFAULT_TENANT, claimed.job.id)
    assert detail is not None
    (lost,) = detail.attempts
    assert (lost.attempt, lost.outcome, lost.instance_id) == (1, AttemptOutcome.LOST, owner)


async def test_rescue_takes_what_belongs_to_the_unregistered(store: Store, owner: InstanceId) -> None:
    """An owner that never registered, or has left, is as dead as a silent one."""
    claimed = await running(store, owner)

    assert (await store.rescue(NONE_SILENT, 3, 100)).jobs == (ref(claimed),)


async def test_leave_hands_over_at_once(store: Store, owner: InstanceId) -> None:
    """What an instance that left still owns is rescued without waiting; leaving twice is harmless."""
    await store.beat(instance(owner))
    claimed = await running(store, owner)

    await store.leave(owner)
    await store.leave(owner)

    assert await store.list_instances() == []
    assert (await store.rescue(NONE_SILENT, 3, 100)).jobs == (ref(claimed),)


async def test_rescue_fences_the_zombie(store: Store, owner: InstanceId) -> None:
    """The late result, release and progress of an instance taken for dead do not count."""
    claimed = await running(store, owner)
    await store.rescue(ALL_SILENT, 3, 100)

    assert await recorded(store, [ended(claimed)]) == [False]
    assert await store.release_jobs(owner, [ref(claimed)]) == [False]
    assert not await store.save_progress(owner, claimed.job.id, 1, 0.5, None)


async def test_rescue_hands_out_poison(store: Store, owner: InstanceId) -> None:
    """A job that reaches ``poison_after`` losses with this one is left alone and handed out, to be ended as failed."""
    claimed = await running(store, owner)
    for _ in range(2):
        await store.rescue(ALL_SILENT, 3, 100)
        (claimed,) = await store.claim_jobs(owner, [claimed.job.id], [TYPE], 1)

    rescue = await store.rescue(ALL_SILENT, 3, 100)

    assert (rescue.jobs, rescue.poisonous) == ((), (claimed.job,))
    assert claimed.job.losses == 2
    assert await recorded(store, [ended(claimed, JobState.FAILED)]) == [True]


async def test_rescue_makes_deliveries_due(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """A delivery of a dead instance is due at once, with a ``notifier_lost`` attempt."""
    sent = await sending(store, owner)

    rescue = await store.rescue(ALL_SILENT, 3, 100)

    assert rescue.deliveries == (sent.delivery.id,)
    detail = await store.get_delivery(DEFAULT_TENANT, sent.delivery.id)
    assert detail is not None
    assert [(one.attempt, one.verdict) for one in detail.attempts] == [(1, Verdict.NOTIFIER_LOST)]
    assert (detail.delivery.state, detail.delivery.tries) == (DeliveryState.RETRYING, 1)
    (again,) = await store.claim_due_deliveries(rival, 5)
    assert again.delivery.attempt == 2
    assert await store.record_attempts([attempted(sent)]) == [False]


async def test_rescue_stops_at_the_limit(store: Store, owner: InstanceId) -> None:
    """At most ``limit`` jobs in a call; the next goes on."""
    await running_jobs(store, owner, 5)

    counts = [len((await store.rescue(ALL_SILENT, 3, 3)).jobs) for _ in range(3)]

    assert counts == [3, 2, 0]


async def test_rescue_forgets_who_owns_nothing(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """A silent instance is forgotten when nothing belongs to it any more, not before."""
    await store.beat(instance(owner))
    await store.beat(instance(rival))
    (claimed,) = await running_jobs(store, owner, 1)

    poisoned = await store.rescue(ALL_SILENT, 1, 100)

    assert (poisoned.instances, poisoned.poisonous) == ((rival,), (claimed.job,))
    assert [kept.id for kept in await store.list_instances()] == [owner]
    await store.finish_jobs([ended(claimed, JobState.FAILED)])
    assert (await store.rescue(ALL_SILENT, 1, 100)).instances == (owner,)
    assert await store.list_instances() == []


async def test_beat_after_death_registers_again(store: Store, owner: InstanceId) -> None:
    """An instance that was forgotten and beats again is back, and what it claims then is safe."""
    await store.beat(instance(owner))
    await store.rescue(ALL_SILENT, 3, 100)

    await store.beat(instance(owner))

    await running(store, owner)
    assert (await store.rescue(NONE_SILENT, 3, 100)).jobs == ()


async def test_rescuers_at_once_take_each_job_once(store: Store, second_store: Store, owner: InstanceId) -> None:
    """Several rescuers at the same time: no job is lost twice."""
    claimed = await running_jobs(store, owner, 20)

    rescues = await asyncio.gather(*(one.rescue(ALL_SILENT, 9, 100) for one in (store, second_store) * 2))

    taken = [one.job_id for rescue in rescues for one in rescue.jobs]
    assert sorted(taken) == sorted(one.job.id for one in claimed)


async def test_tally_counts_what_waits_and_runs(store: Store, owner: InstanceId) -> None:
    """Per queue: what is ready now, what runs; not what is yet to come or done."""
    await running(store, owner)
    later, done = await running(store, owner), await running(store, owner)
    await store.finish_jobs([retried(later, 60), ended(done)])
    await store.accept(
        [
            *(job(run_at=PAST, queue="b", type=name, priority=number) for number in (-1, 0, 7) for name in ("x", "y")),
            job(run_at=FUTURE),
            job(),
        ]
    )

    tallies = await store.tally()

    first, second = tallies.queues
    assert (first.queue, first.ready, first.running) == ("b", 6, 0)
    assert (second.queue, second.ready, second.running) == ("default", 1, 1)
    assert first.oldest_ready_age_s > 86_400
    assert second.oldest_ready_age_s < 60
    assert tallies.deliveries_due == 1
    assert 0 <= tallies.oldest_due_age_s < 60


async def test_tally_of_nothing_is_nothing(store: Store, owner: InstanceId) -> None:
    """An empty store has no queues; a queue with only running jobs has no age."""
    assert (await store.tally()).queues == ()

    await running(store, owner)

    assert (await store.tally()).queues == (QueueTally("default", 0, 1, 0.0),)


async def test_served_types_are_those_of_the_living(store: Store, owner: InstanceId, rival: InstanceId) -> None:
    """Each pair of queue and type that some live instance serves, once."""
    await store.beat(instance(owner, queues=("a", "b"), task_types=("x",)))
    await store.beat(instance(rival, queues=("a",), task_types=("x", "y")))

    assert sorted(await store.served_types(NONE_SILENT)) == [("a", "x"), ("a", "y"), ("b", "x")]
    assert list(await store.served_types(ALL_SILENT)) == []
