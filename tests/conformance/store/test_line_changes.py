"""Endpoints with a line are changed, disabled and deleted: what becomes of what stands in it."""

from dataclasses import replace

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.endpoints import DisabledReason
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId
from ringback_schemas.states import DeliveryState
from tests.conformance.store.lines import FIFO, head, order, turn
from tests.conformance.store.making import SETTINGS, attempted, delivery_now, delivery_ref, registered, told
from tests.conformance.store.replaying import replay, sent, steps

RETRYING = DeliveryState.RETRYING


async def test_enabled_again_the_line_keeps_its_order(store: Store, owner: InstanceId) -> None:
    """What was parked goes on where it was."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 20)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert await store.waiting_lanes("", 5) == []

    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await order(store, owner, endpoint) == ids


async def test_withheld_head_is_parked(store: Store, owner: InstanceId) -> None:
    """It was claimed while somebody disabled its endpoint; enabled again, it is the first."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)
    await store.disable_endpoint(DEFAULT_TENANT, endpoint.id, DisabledReason.REQUESTED)

    assert await store.withhold_deliveries(owner, [delivery_ref(claimed)]) == [True]

    assert (await delivery_now(store, ids[0])).waits_for is WaitReason.ENDPOINT_DISABLED
    await store.enable_endpoint(DEFAULT_TENANT, endpoint.id)
    assert await order(store, owner, endpoint) == ids


async def test_endpoint_that_becomes_a_line_orders_what_waits(store: Store, owner: InstanceId) -> None:
    """What was not in order before is from then on."""
    endpoint = await registered(store)
    ids = await told(store, owner, 20)

    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, FIFO)

    assert lined is not None
    assert await store.claim_due_deliveries(owner, 50) == []
    assert await order(store, owner, lined) == ids


async def test_endpoint_that_becomes_a_line_orders_what_is_replayed(store: Store, owner: InstanceId) -> None:
    """Among what waits, by its event; one that fails then holds up the rest, as any."""
    endpoint = await registered(store)
    ids = await told(store, owner, 20)
    await store.record_attempts([attempted(one) for one in await store.claim_deliveries(owner, ids, 20)])
    await replay(store, states=(DeliveryState.DELIVERED,))
    assert sorted(sent(await steps(store))) == sorted(ids)

    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, FIFO)

    assert lined is not None
    first = await head(store, owner, lined)
    await store.record_attempts([attempted(first, RETRYING, 3600.0)])
    assert first.delivery.id == ids[0]
    assert await store.claim_waiting(owner, [turn(lined)]) == []
    await store.redeliver(DEFAULT_TENANT, ids[0])
    assert await order(store, owner, lined) == [*ids[1:], ids[0]]


async def test_endpoint_that_is_no_line_any_more_frees_what_waits(store: Store, owner: InstanceId) -> None:
    """All is due at once, also what is being sent just now, once it has failed."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, SETTINGS)

    assert sorted(one.delivery.id for one in await store.claim_due_deliveries(owner, 5)) == sorted(ids[1:])
    await store.record_attempts([attempted(claimed, RETRYING)])
    (again,) = await store.claim_deliveries(owner, ids, 5)
    assert (again.delivery.id, again.delivery.lane) == (ids[0], SETTINGS.destination)


async def test_moved_line_goes_on(store: Store, owner: InstanceId) -> None:
    """At a new URL too nothing comes while the head is sent."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    claimed = await head(store, owner, endpoint)
    elsewhere = replace(FIFO, url="http://other.example/hook", destination="http://other.example:80")

    moved = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, elsewhere)

    assert moved is not None
    assert await store.claim_waiting(owner, [turn(moved)]) == []
    await store.record_attempts([attempted(claimed, RETRYING)])
    assert await order(store, owner, moved) == ids


async def test_other_changes_leave_a_line_alone(store: Store, owner: InstanceId) -> None:
    """A description is no reason to send two at a time."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    await head(store, owner, endpoint)

    await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, replace(FIFO, description="new"))

    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert (await delivery_now(store, ids[1])).waits_for is WaitReason.FIFO


async def test_deleted_endpoint_leaves_no_line(store: Store, owner: InstanceId) -> None:
    """What waits is cancelled."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)

    await store.delete_endpoint(DEFAULT_TENANT, endpoint.id)

    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    assert [(await delivery_now(store, one)).state for one in ids] == [DeliveryState.CANCELLED] * 2
    assert await store.waiting_lanes("", 5) == []
