"""Endpoints with limits: their deliveries wait in a lane of their own."""

from dataclasses import replace

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.endpoints import EndpointSettings
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.lanes import LaneRooms
from tests.conformance.store.making import SETTINGS, registered, told


@pytest.mark.parametrize(
    "settings",
    [
        replace(SETTINGS, rate_limit_per_s=5.0),
        replace(SETTINGS, max_in_flight=2),
        replace(SETTINGS, needs_consent=True),
    ],
    ids=["rate", "in flight", "consent"],
)
async def test_endpoint_with_limits_has_a_lane_of_its_own(
    store: Store, owner: InstanceId, settings: EndpointSettings
) -> None:
    """Its deliveries are claimed like any, by that lane."""
    endpoint = await registered(store, settings)
    await told(store, owner, 2)

    claim = await store.claim_due_in_lanes(owner, 5, LaneRooms(others=1))

    lane = f"{SETTINGS.destination}#{endpoint.id}"
    assert ([one.delivery.lane for one in claim.claimed], claim.waiting) == ([lane], frozenset({lane}))


async def test_changed_limits_change_the_lane_of_what_waits(store: Store, owner: InstanceId) -> None:
    """What was set aside behind a limit that is gone is due."""
    endpoint = await registered(store, replace(SETTINGS, rate_limit_per_s=5.0))
    await told(store, owner, 2)
    await store.claim_due_in_lanes(owner, 1, LaneRooms(others=1))

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, SETTINGS)

    (freed,) = await store.claim_due_deliveries(owner, 5)
    assert freed.delivery.lane == SETTINGS.destination
