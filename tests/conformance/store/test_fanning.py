"""``finish_jobs``: deliveries to registered endpoints."""

from dataclasses import replace

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import DeliveryKind
from ringback_schemas.endpoints import DisabledReason, wants
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, check_id, fanned_delivery_id
from ringback_schemas.jobs import JobOutcome
from ringback_schemas.states import DeliveryState, JobState
from tests.conformance.store.making import (
    OTHER_TENANT,
    SETTINGS,
    attempted,
    ended,
    event,
    registered,
    retried,
    running,
    running_jobs,
)


async def receivers(store: Store, outcome: JobOutcome) -> list[str | None]:
    """Endpoints that get the event of a job; None for its callback."""
    return [one.delivery.endpoint_id for one in await store.deliveries_of_job(DEFAULT_TENANT, outcome.job_id)]


async def test_event_goes_to_each_endpoint_beside_the_callback(store: Store, owner: InstanceId) -> None:
    """One delivery for each, in the same transaction, due at once, and named in the answer."""
    endpoints = [await registered(store) for _ in range(2)]
    claimed = await running(store, owner)
    outcome = ended(claimed)
    assert outcome.event is not None

    (ids,) = await store.finish_jobs([outcome])

    fanned = [fanned_delivery_id(outcome.event.id, one.id) for one in endpoints]
    assert ids is not None
    assert (ids[:1], set(ids[1:])) == (outcome.delivery_ids, set(fanned))
    sent = await store.claim_deliveries(owner, ids, 5)
    assert [one.delivery.id for one in sent] == list(ids)
    assert {one.body for one in sent} == {outcome.event.body}
    assert [one.delivery.kind for one in sent[1:]] == [DeliveryKind.ENDPOINT] * 2
    assert (sent[1].delivery.url, sent[1].delivery.destination) == (SETTINGS.url, SETTINGS.destination)


async def test_endpoint_is_told_of_jobs_without_a_callback(store: Store, owner: InstanceId) -> None:
    """It subscribed once, for all."""
    endpoint = await registered(store)
    claimed = await running(store, owner, callback_url=None)
    outcome = ended(claimed, event=event(claimed.job.id, deliveries=0))

    (ids,) = await store.finish_jobs([outcome])

    assert ids is not None
    assert len(ids) == 1
    assert await receivers(store, outcome) == [endpoint.id]


def test_fanned_id_is_an_id(owner: InstanceId) -> None:
    """It sorts with the event's time, and differs by event and endpoint."""
    one, two = (event(None, deliveries=0).id for _ in range(2))
    ids = {fanned_delivery_id(told, endpoint) for told in (one, two) for endpoint in ("end_1", "end_2")}  # type: ignore[arg-type]

    assert len(ids) == 4
    for delivery_id in ids:
        check_id("dlv", delivery_id)
        assert delivery_id[4:14] in {one[4:14], two[4:14]}


FILTERS = [
    ((), True),
    (("*",), True),
    (("job.*",), True),
    (("job.failed",), True),
    (("job.succeeded", "job.failed"), True),
    (("job.succeeded",), False),
    (("job.fail",), False),
    (("job.failed.*",), False),
    (("endpoint.*", "delivery.exhausted"), False),
    (("job_failed",), False),
    (("job%",), False),
]


@pytest.mark.parametrize(("event_filter", "is_wanted"), FILTERS)
async def test_filter_decides(
    store: Store, owner: InstanceId, event_filter: tuple[str, ...], *, is_wanted: bool
) -> None:
    """Both databases read a filter as the schemas do."""
    await registered(store, replace(SETTINGS, event_filter=event_filter))
    claimed = await running(store, owner)
    told = event(claimed.job.id, JobState.FAILED, deliveries=0)

    (ids,) = await store.finish_jobs([ended(claimed, JobState.FAILED, result=None, error=b"{}", event=told)])

    assert ids is not None
    assert (len(ids) == 1) == is_wanted == wants(event_filter, "job.failed")


async def test_nobody_else_is_told(store: Store, owner: InstanceId) -> None:
    """Neither disabled endpoints nor another tenant's."""
    stopped = await registered(store)
    await store.disable_endpoint(DEFAULT_TENANT, stopped.id, DisabledReason.REQUESTED)
    await registered(store, tenant_id=OTHER_TENANT)
    outcome = ended(await running(store, owner))

    assert await store.finish_jobs([outcome]) == [outcome.delivery_ids]


async def test_fenced_outcome_tells_nobody(store: Store, owner: InstanceId) -> None:
    """What is not recorded has no event; nor has a retry."""
    await registered(store)
    first, second = await running_jobs(store, owner, 2)

    assert await store.finish_jobs([ended(first, attempt=7), retried(second)]) == [None, ()]
    assert await store.claim_due_deliveries(owner, 5) == []


async def test_jobs_of_many_tenants_end_in_one_call(store: Store, owner: InstanceId) -> None:
    """Each event goes to the endpoints of its own tenant, and each answer is in its place."""
    mine, theirs = await registered(store), await registered(store, tenant_id=OTHER_TENANT)
    jobs = [await running(store, owner, tenant_id=tenant) for tenant in (DEFAULT_TENANT, OTHER_TENANT) * 3]
    outcomes = [
        ended(one, event=event(one.job.id, deliveries=number % 2, tenant_id=one.job.tenant_id))
        for number, one in enumerate(jobs)
    ]

    answers = await store.finish_jobs(outcomes)

    for outcome, ids, endpoint in zip(outcomes, answers, (mine, theirs) * 3, strict=True):
        assert outcome.event is not None
        assert ids == (*outcome.delivery_ids, fanned_delivery_id(outcome.event.id, endpoint.id))


async def test_fanned_delivery_goes_its_own_way(store: Store, owner: InstanceId) -> None:
    """The callback's success ends nothing for the endpoint."""
    await registered(store)
    (ids,) = await store.finish_jobs([ended(await running(store, owner))])
    assert ids is not None
    callback, to_endpoint = await store.claim_deliveries(owner, ids, 2)

    await store.record_attempts([attempted(callback), attempted(to_endpoint, DeliveryState.RETRYING)])

    states = [await store.get_delivery(DEFAULT_TENANT, one) for one in ids]
    assert [one and one.delivery.state for one in states] == [DeliveryState.DELIVERED, DeliveryState.RETRYING]
