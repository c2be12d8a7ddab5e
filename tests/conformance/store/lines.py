"""Endpoints that take one delivery at a time: filling a line, and taking from it."""

from dataclasses import replace

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import ClaimedDelivery
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.lane_names import lane_of
from ringback_schemas.lanes import LaneTurn
from tests.conformance.store.making import SETTINGS, attempted

FIFO = replace(SETTINGS, is_fifo=True)
LONG = 3_600.0


def turn(endpoint: EndpointRecord, hold_s: float = LONG) -> LaneTurn:
    """The endpoint's line is asked for its head."""
    return LaneTurn(lane_of(endpoint.id, endpoint.settings), 1, 0, hold_s)


async def head(store: Store, owner: InstanceId, endpoint: EndpointRecord, hold_s: float = LONG) -> ClaimedDelivery:
    """The head of the line, claimed."""
    (claimed,) = await store.claim_waiting(owner, [turn(endpoint, hold_s)])
    return claimed


async def order(store: Store, owner: InstanceId, endpoint: EndpointRecord) -> list[DeliveryId]:
    """All that stands in line, delivered one after the other."""
    found = []
    while claimed := await store.claim_waiting(owner, [turn(endpoint)]):
        found += [one.delivery.id for one in claimed]
        await store.record_attempts([attempted(one) for one in claimed])
    return found
