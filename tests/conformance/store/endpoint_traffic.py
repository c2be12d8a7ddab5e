"""Endpoints with deliveries of their own: what is sent to them, what they are told, and how they fare."""

from dataclasses import replace
from typing import Any

import orjson

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, NewDelivery
from ringback_schemas.endpoint_health import HealthRules
from ringback_schemas.endpoints import EndpointHealth, EndpointRecord
from ringback_schemas.ids import DeliveryId, InstanceId, new_delivery_id
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import DESTINATION, SETTINGS, URL, attempted, ended, event, running

QUIET = replace(SETTINGS, event_filter=("nothing.of_the_kind",))
"""Gets what these tests make for it, and nothing else."""
WATCHES = replace(SETTINGS, event_filter=("endpoint.*", "delivery.exhausted"))
RULES = HealthRules()
"""Twenty failures in a row, for 72 hours."""
AT_ONCE = HealthRules(disable_after_failures=6, disable_after_s=0)
"""Six in a row, however soon."""


async def made_for(store: Store, owner: InstanceId, endpoint: EndpointRecord, count: int = 1) -> list[DeliveryId]:
    """Ids of fresh deliveries to an endpoint."""
    claimed = await running(store, owner)
    news = tuple(
        NewDelivery(new_delivery_id(), DeliveryKind.ENDPOINT, URL, DESTINATION, endpoint.id) for _ in range(count)
    )
    told = replace(event(claimed.job.id), deliveries=news)
    assert await store.finish_jobs([ended(claimed, event=told)]) == [tuple(new.id for new in news)]
    return [new.id for new in news]


async def sent_to(store: Store, owner: InstanceId, endpoint: EndpointRecord, count: int = 1) -> list[ClaimedDelivery]:
    """Deliveries to an endpoint that the owner has just claimed."""
    ids = await made_for(store, owner, endpoint, count)
    claimed = await store.claim_deliveries(owner, ids, count)
    assert len(claimed) == count
    return claimed


async def health(store: Store, endpoint: EndpointRecord) -> EndpointHealth:
    """How it goes."""
    return (await endpoint_now(store, endpoint)).health


async def fail(
    store: Store, owner: InstanceId, endpoint: EndpointRecord, times: int, rules: HealthRules = RULES
) -> None:
    """So many attempts at an endpoint fail, each by itself."""
    for sent in await sent_to(store, owner, endpoint, times):
        assert await store.record_attempts([attempted(sent, DeliveryState.RETRYING, 3600.0)], rules) == [True]


async def succeed(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> None:
    """An attempt goes well."""
    (sent,) = await sent_to(store, owner, endpoint)
    assert await store.record_attempts([attempted(sent)]) == [True]


async def told_to(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[Any]:
    """The operational events that wait for an endpoint, oldest first; they are claimed."""
    claimed = await store.claim_due_deliveries(owner, 100)
    mine = sorted((one for one in claimed if one.delivery.endpoint_id == endpoint.id), key=lambda one: one.delivery.id)
    return [orjson.loads(one.body) for one in mine if one.delivery.job_id is None]


async def types_told_to(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[str]:
    """Their types."""
    return [body["type"] for body in await told_to(store, owner, endpoint)]


async def endpoint_now(store: Store, endpoint: EndpointRecord) -> EndpointRecord:
    """The endpoint as it is now."""
    record = await store.get_endpoint(endpoint.tenant_id, endpoint.id)
    assert record is not None
    return record
