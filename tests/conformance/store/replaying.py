"""Deliveries to replay, replays of them, and their steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import DeliveryKind, NewDelivery
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId, TenantId, new_delivery_id, new_replay_id
from ringback_schemas.replays import NewReplay, ReplayFilter, ReplayPace, ReplayRecord, ReplayStep
from ringback_schemas.states import DeliveryState
from tests.conformance.store.making import DESTINATION, URL, attempted, event

EXHAUSTED = DeliveryState.EXHAUSTED
SMALL = ReplayPace(chunk=2, window=3)
"""So small that a handful of deliveries takes several steps."""


async def settled(
    store: Store,
    owner: InstanceId,
    count: int = 1,
    state: DeliveryState = EXHAUSTED,
    endpoint: EndpointRecord | None = None,
    url: str = URL,
    destination: str = DESTINATION,
    **fields: Any,
) -> list[DeliveryId]:
    """So many deliveries that were tried once, and are in that state now; in id order."""
    kind = DeliveryKind.CALLBACK if endpoint is None else DeliveryKind.ENDPOINT
    endpoint_id = None if endpoint is None else endpoint.id
    news = [NewDelivery(new_delivery_id(), kind, url, destination, endpoint_id) for _ in range(count)]
    for new in news:
        await store.add_event(replace(event(None, deliveries=0, **fields), deliveries=(new,)))
    claimed = await store.claim_deliveries(owner, [new.id for new in news], count)
    assert len(claimed) == count
    assert all(await store.record_attempts([attempted(one, state, retry_in_s=3600) for one in claimed]))
    return sorted(new.id for new in news)


async def replay(store: Store, *, is_dry_run: bool = False, tenant_id: TenantId = DEFAULT_TENANT, **fields: Any) -> Any:
    """A replay that was just made, with a filter of these fields."""
    made = await store.create_replay(NewReplay(new_replay_id(), tenant_id, ReplayFilter(**fields), is_dry_run))
    assert made is not None
    return made


async def steps(store: Store, pace: ReplayPace = SMALL) -> list[ReplayStep]:
    """Steps until there is nothing to do."""
    taken: list[ReplayStep] = []
    while (step := await store.advance_replay(pace)) is not None:
        taken.append(step)
    return taken


def sent(taken: Sequence[ReplayStep]) -> list[DeliveryId]:
    """What these steps made due."""
    return [delivery_id for step in taken for delivery_id in step.redelivered]


async def found(store: Store, made: ReplayRecord) -> ReplayRecord:
    """The replay as it is now."""
    record = await store.get_replay(made.tenant_id, made.id)
    assert record is not None
    return record


async def states(store: Store, ids: Sequence[DeliveryId]) -> list[DeliveryState]:
    """Of these deliveries, in their order."""
    details = [await store.get_delivery(DEFAULT_TENANT, delivery_id) for delivery_id in ids]
    return [detail.delivery.state for detail in details if detail is not None]
