"""``JobStore.accept``."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.store import Store
from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.jobs import Accepted, JobFilter, KeyMismatch, Replayed
from ringback_schemas.states import JobState
from tests.conformance.store.making import FUTURE, OTHER_TENANT, PAST, TYPE, job, key


async def test_accept_keeps_every_field(store: Store) -> None:
    """A job is read back as it was given, complete."""
    new = job(
        queue="reports",
        priority=-7,
        callback_events=("job.failed", "job.expired"),
        tags=("red", "blue"),
        expires_at=FUTURE,
        timeout_s=1.5,
        max_attempts=9,
    )

    await store.accept([new])

    detail = await store.get_job(DEFAULT_TENANT, new.id)
    assert detail is not None
    kept = detail.job
    assert (kept.id, kept.tenant_id, kept.type, kept.queue) == (new.id, DEFAULT_TENANT, TYPE, "reports")
    assert (kept.priority, kept.timeout_s, kept.max_attempts, kept.expires_at) == (-7, 1.5, 9, FUTURE)
    assert (kept.callback_url, kept.callback_events, kept.tags) == (new.callback_url, new.callback_events, new.tags)
    assert (detail.payload, detail.result, detail.error, detail.progress) == (new.payload, None, None, None)
    assert detail.attempts == ()


async def test_accept_starts_every_counter_at_nothing(store: Store) -> None:
    """A fresh job has had no attempt, no owner and no end."""
    new = job()

    await store.accept([new])

    (kept,) = await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10)
    assert (kept.attempt, kept.uncharged, kept.losses, kept.charged_attempts) == (0, 0, 0, 0)
    assert (kept.owner, kept.started_at, kept.finished_at) == (None, None, None)
    assert not kept.is_cancel_requested


async def test_accept_answers_in_order(store: Store) -> None:
    """The answers stand in the order of the jobs, kept and replayed ones mixed."""
    await store.accept([first := job(idempotency=key("one"))])
    jobs = [job(), job(idempotency=key("one")), job(idempotency=key("two")), job()]

    answers = await store.accept(jobs)

    assert [answer.job_id for answer in answers] == [jobs[0].id, first.id, jobs[2].id, jobs[3].id]


async def test_accept_answers_with_what_is_stored(store: Store) -> None:
    """State and times of the answer are those of the stored job."""
    new = job(delay_s=60.0)

    (answer,) = await store.accept([new])

    (kept,) = await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10)
    assert answer == Accepted(new.id, kept.state, kept.created_at, kept.run_at)


async def test_accept_takes_the_clock_of_now(store: Store) -> None:
    """``created_at`` is now, aware and in UTC."""
    before = datetime.now(UTC)

    (answer,) = await store.accept([job()])

    assert isinstance(answer, Accepted)
    assert abs(answer.created_at - before) < timedelta(seconds=5)
    assert answer.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, JobState.QUEUED),
        ({"run_at": PAST}, JobState.QUEUED),
        ({"run_at": FUTURE}, JobState.SCHEDULED),
        ({"delay_s": 60.0}, JobState.SCHEDULED),
        ({"delay_s": 0.0}, JobState.QUEUED),
    ],
)
async def test_accept_schedules_what_is_yet_to_come(store: Store, fields: dict[str, object], state: JobState) -> None:
    """A job is ``scheduled`` when its ``run_at`` is yet to come, else ``queued``."""
    (answer,) = await store.accept([job(**fields)])

    assert isinstance(answer, Accepted)
    assert answer.state is state


async def test_accept_delays_from_now(store: Store) -> None:
    """``delay_s`` counts from the database's now."""
    (answer,) = await store.accept([job(delay_s=90.5)])

    assert isinstance(answer, Accepted)
    assert answer.run_at - answer.created_at == timedelta(seconds=90.5)


async def test_accept_replays_a_known_key(store: Store) -> None:
    """The same key with the same fingerprint gives the first job, and stores nothing."""
    await store.accept([first := job(idempotency=key("once"))])

    answers = await store.accept([job(idempotency=key("once"))])

    assert answers == [Replayed(first.id)]
    assert [kept.id for kept in await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10)] == [first.id]


async def test_accept_refuses_a_key_with_another_fingerprint(store: Store) -> None:
    """The same key with another fingerprint is a mismatch, and stores nothing."""
    await store.accept([first := job(idempotency=key("once", b"a" * 32))])

    answers = await store.accept([job(idempotency=key("once", b"b" * 32))])

    assert answers == [KeyMismatch(first.id)]
    assert len(await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10)) == 1


async def test_accept_replays_within_one_call(store: Store) -> None:
    """Of several jobs with one key in one call, the first is kept and the others are answered with it."""
    jobs = [job(idempotency=key("k")), job(idempotency=key("k")), job(idempotency=key("k", b"x" * 32))]

    answers = await store.accept(jobs)

    assert isinstance(answers[0], Accepted)
    assert answers[1:] == [Replayed(jobs[0].id), KeyMismatch(jobs[0].id)]


async def test_accept_keeps_keys_of_tenants_apart(store: Store) -> None:
    """A key belongs to its tenant: another's same key is another key."""
    await store.accept([job(idempotency=key("once"))])

    (answer,) = await store.accept([job(tenant_id=OTHER_TENANT, idempotency=key("once"))])

    assert isinstance(answer, Accepted)


async def test_accept_makes_one_job_when_two_processes_race(store: Store, second_store: Store) -> None:
    """Fifty equal requests at once, through two stores, make one job."""
    new = [job(idempotency=key("race")) for _ in range(50)]

    answers = await asyncio.gather(
        *(stores.accept([one]) for one, stores in zip(new, [store, second_store] * 25, strict=True))
    )

    assert len({answer.job_id for (answer,) in answers}) == 1
    assert [type(answer) for (answer,) in answers].count(Accepted) == 1
    assert len(await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10)) == 1


async def test_accept_survives_opposite_orders_of_keys(store: Store, second_store: Store) -> None:
    """Batches that name the same keys in opposite orders at once do not deadlock; each key gets one job."""
    names = [f"key-{number}" for number in range(20)]
    forward = [[job(idempotency=key(name)) for name in names] for _ in range(5)]
    backward = [[job(idempotency=key(name)) for name in reversed(names)] for _ in range(5)]

    await asyncio.gather(*map(store.accept, forward), *map(second_store.accept, backward))

    assert len(await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 100)) == 20


async def test_accept_stores_nothing_of_a_call_with_a_refused_row(store: Store) -> None:
    """A value that the database will not have is ``RowRefused``, and the other jobs of the call are not stored."""
    with pytest.raises(RowRefused):
        await store.accept([job(), job(priority=2**70), job(idempotency=key("k"))])

    assert await store.list_jobs(DEFAULT_TENANT, JobFilter(), None, 10) == []
    (answer,) = await store.accept([job(idempotency=key("k"))])
    assert isinstance(answer, Accepted)


@pytest.mark.parametrize(
    "fields",
    [{"delay_s": 1e18}, {"delay_s": float("inf")}, {"type": "\ud800"}, {"max_attempts": 2**80}],
    ids=["delay beyond time", "endless delay", "lone surrogate", "huge number"],
)
async def test_accept_refuses_what_no_column_holds(store: Store, fields: dict[str, object]) -> None:
    """Values out of a column's range are refused as rows, not as an outage."""
    with pytest.raises(RowRefused):
        await store.accept([job(**fields)])


async def test_accept_refuses_an_id_twice(store: Store) -> None:
    """A job's id names one job."""
    await store.accept([new := job()])

    with pytest.raises(RowRefused):
        await store.accept([new])


async def test_accept_takes_no_jobs_at_all(store: Store) -> None:
    """An empty call is answered with nothing."""
    assert await store.accept([]) == []


async def test_accept_takes_many_at_once(store: Store) -> None:
    """Five hundred jobs with tags and keys go into one call."""
    jobs = [job(tags=("a", "b"), idempotency=key(f"k{number}")) for number in range(500)]

    answers = await store.accept(jobs)

    assert [answer.job_id for answer in answers] == [new.id for new in jobs]


@pytest.mark.parametrize(
    "payload", [b"null", b'"\\u0000 \\ud83d\\ude00"', '"Grüße 🚀"'.encode(), b'"' + b"x" * 900_000 + b'"']
)
async def test_accept_keeps_payloads_to_the_byte(store: Store, payload: bytes) -> None:
    """What a task gets is what the client sent, whatever characters are in it."""
    await store.accept([new := job(payload=payload)])

    (claimed,) = await store.claim_jobs("ins_x", [new.id], [TYPE], 1)  # type: ignore[arg-type]

    assert claimed.payload == payload


async def test_find_replay_answers_as_accept_would(store: Store) -> None:
    """The same request is a replay, another one a mismatch; a free key, and another tenant's, are absent."""
    accepted = job(idempotency=key("k"))
    await store.accept([accepted])

    assert await store.find_replay(DEFAULT_TENANT, key("k")) == Replayed(accepted.id)
    assert await store.find_replay(DEFAULT_TENANT, key("k", b"g" * 32)) == KeyMismatch(accepted.id)
    assert await store.find_replay(DEFAULT_TENANT, key("free")) is None
    assert await store.find_replay(OTHER_TENANT, key("k")) is None
