"""Things to put into a store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ringback.webhooks import new_secret
from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import (
    ClaimedDelivery,
    DeliveryAttempt,
    DeliveryKind,
    DeliveryOutcome,
    DeliveryRecord,
    DeliveryRef,
    NewDelivery,
    Timing,
    Verdict,
)
from ringback_schemas.endpoints import EndpointRecord, EndpointSettings, NewSecret, SigningScheme
from ringback_schemas.events import EVENT_TYPES, NewEvent
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    DeliveryId,
    InstanceId,
    JobId,
    TenantId,
    new_delivery_id,
    new_endpoint_id,
    new_event_id,
    new_id,
    new_job_id,
    new_secret_id,
)
from ringback_schemas.instances import NewInstance, Role
from ringback_schemas.jobs import ClaimedJob, IdempotencyKey, JobOutcome, JobRef, NewJob
from ringback_schemas.states import DeliveryState, JobState

TYPE = "demo.echo"
URL = "http://receiver.example/hook"
DESTINATION = "http://receiver.example:80"
SETTINGS = EndpointSettings(URL, DESTINATION)
OTHER_TENANT = TenantId(new_id("ten"))
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
ALL_SILENT = 0.0
"""Nobody's last beat is that fresh."""


def job(**fields: Any) -> NewJob:
    """A job that may start at once, but for the fields given."""
    plain = NewJob(new_job_id(), DEFAULT_TENANT, TYPE, b'{"text":"hello"}', callback_url=URL)
    return replace(plain, **fields)


def key(name: str, fingerprint: bytes = b"f" * 32) -> IdempotencyKey:
    """An idempotency key."""
    return IdempotencyKey(name, fingerprint)


async def running(store: Store, owner: InstanceId, **fields: Any) -> ClaimedJob:
    """A job that the owner has just claimed."""
    return (await running_jobs(store, owner, 1, **fields))[0]


async def running_jobs(store: Store, owner: InstanceId, count: int, **fields: Any) -> list[ClaimedJob]:
    """Jobs that the owner has just claimed."""
    jobs = [job(**fields) for _ in range(count)]
    await store.accept(jobs)
    claimed = await store.claim_jobs(owner, [new.id for new in jobs], [new.type for new in jobs], count)
    assert len(claimed) == count
    return claimed


def delivery() -> NewDelivery:
    """A delivery to a callback."""
    return NewDelivery(new_delivery_id(), DeliveryKind.CALLBACK, URL, DESTINATION)


def event(job_id: JobId | None, state: JobState = JobState.SUCCEEDED, deliveries: int = 1, **fields: Any) -> NewEvent:
    """The event of a state, with so many deliveries."""
    news = tuple(delivery() for _ in range(deliveries))
    plain = NewEvent(new_event_id(), DEFAULT_TENANT, job_id, EVENT_TYPES[state], b'{"type":"job.x","data":{}}', news)
    return replace(plain, **fields)


def ended(claimed: ClaimedJob, state: JobState = JobState.SUCCEEDED, **fields: Any) -> JobOutcome:
    """The claimed attempt ends the job, and tells one receiver."""
    record = claimed.job
    told = event(record.id, state, tenant_id=record.tenant_id)
    plain = JobOutcome(record.id, record.attempt, record.owner, state, result=b'{"text":"hello"}', event=told)
    return replace(plain, **fields)


def retried(claimed: ClaimedJob, retry_in_s: float = 0.0, error: bytes = b'{"code":"handler-error"}') -> JobOutcome:
    """The claimed attempt failed; another follows."""
    record = claimed.job
    return JobOutcome(record.id, record.attempt, record.owner, JobState.RETRYING, error=error, retry_in_s=retry_in_s)


def ref(claimed: ClaimedJob) -> JobRef:
    """The claimed attempt."""
    return JobRef(claimed.job.id, claimed.job.attempt, claimed.job.queue)


def secret(text: str | None = None) -> NewSecret:
    """A shared secret to be stored."""
    return NewSecret(new_secret_id(), text or new_secret(), SigningScheme.V1)


async def registered(
    store: Store,
    settings: EndpointSettings = SETTINGS,
    *,
    first: NewSecret | None = None,
    tenant_id: TenantId = DEFAULT_TENANT,
) -> EndpointRecord:
    """An endpoint that was just made."""
    made = await store.create_endpoint(tenant_id, new_endpoint_id(), settings, first or secret())
    assert made is not None
    return made


async def recorded(store: Store, outcomes: Sequence[JobOutcome]) -> list[bool]:
    """Which of the outcomes the store records."""
    return [answer is not None for answer in await store.finish_jobs(outcomes)]


async def sending(store: Store, owner: InstanceId, **fields: Any) -> ClaimedDelivery:
    """A delivery that the owner has just claimed."""
    claimed = await running(store, owner, **fields)
    outcome = ended(claimed)
    assert await recorded(store, [outcome]) == [True]
    (sent,) = await store.claim_deliveries(owner, delivery_ids([outcome]), 1)
    return sent


async def told(store: Store, owner: InstanceId, count: int) -> list[DeliveryId]:
    """So many jobs end in one batch; the deliveries to the only endpoint, in the order of events."""
    jobs = await running_jobs(store, owner, count)
    outcomes = [ended(job, event=event(job.job.id, deliveries=0)) for job in jobs]
    answers = await store.finish_jobs(outcomes)
    return [delivery_id for answer in answers if answer is not None for delivery_id in answer]


async def delivery_now(store: Store, delivery_id: DeliveryId) -> DeliveryRecord:
    """The delivery as it is now."""
    detail = await store.get_delivery(DEFAULT_TENANT, delivery_id)
    assert detail is not None
    return detail.delivery


def delivery_ref(claimed: ClaimedDelivery) -> DeliveryRef:
    """The claimed attempt."""
    return DeliveryRef(claimed.delivery.id, claimed.delivery.attempt)


def job_of(claimed: ClaimedDelivery) -> JobId:
    """The job whose end it tells."""
    assert claimed.delivery.job_id is not None
    return claimed.delivery.job_id


def delivery_ids(outcomes: Sequence[JobOutcome]) -> list[Any]:
    """The deliveries that those outcomes bring about."""
    return [new.id for outcome in outcomes if outcome.event is not None for new in outcome.event.deliveries]


def attempted(
    claimed: ClaimedDelivery, state: DeliveryState = DeliveryState.DELIVERED, retry_in_s: float = 0.0, **fields: Any
) -> DeliveryOutcome:
    """The claimed delivery was sent."""
    record = claimed.delivery
    assert record.owner is not None
    verdict = Verdict.DELIVERED if state is DeliveryState.DELIVERED else Verdict.SERVER_ERROR
    plain = DeliveryAttempt(
        attempt=record.attempt,
        started_at=datetime.now(UTC) - timedelta(seconds=1),
        timing=Timing(0.25, 0.01, 0.02, 0.2),
        verdict=verdict,
        reason="The receiver answered.",
        status=200,
        remote_address="192.0.2.1",
        response_prefix=b"\x00\xffok",
    )
    return DeliveryOutcome(record.id, record.owner, replace(plain, **fields), state, retry_in_s, record.endpoint_id)


def instance(instance_id: InstanceId, **fields: Any) -> NewInstance:
    """A worker."""
    plain = NewInstance(instance_id, Role.WORKER, "host", 42, "1.0", ("default",), (TYPE,))
    return replace(plain, **fields)
