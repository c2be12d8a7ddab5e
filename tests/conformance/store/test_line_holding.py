"""A head that fails holds up its line for so long, and then is let go of."""

from datetime import UTC, datetime, timedelta

from ringback_backends.contracts.store import Store
from ringback_schemas.deliveries import WaitReason
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId
from ringback_schemas.lanes import LaneRoom, LaneRooms
from ringback_schemas.states import DeliveryState
from tests.conformance.store.lines import FIFO, LONG, head, order, turn
from tests.conformance.store.making import attempted, delivery_now, registered, told
from tests.waiting import eventually

RETRYING = DeliveryState.RETRYING


async def test_head_that_holds_up_its_line_for_too_long_is_let_go_of(store: Store, owner: InstanceId) -> None:
    """The next goes, and it is tried beside the line like any retry."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    began = datetime.now(UTC) - timedelta(seconds=60)
    first = attempted(await head(store, owner, endpoint), RETRYING, 0.0, started_at=began)
    await store.record_attempts([first])
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, LONG)])

    assert await store.claim_waiting(owner, [turn(endpoint, 120)]) == []
    claimed = await head(store, owner, endpoint, 30)

    assert claimed.delivery.id == ids[1]
    await store.record_attempts([attempted(claimed)])
    assert (await head(store, owner, endpoint, 30)).delivery.id == ids[2]
    assert (await delivery_now(store, ids[0])).state is RETRYING


async def test_what_was_let_go_of_stays_beside_the_line(store: Store, owner: InstanceId) -> None:
    """It is found by its time and by its name, and failing again it does not come back."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 2)
    began = datetime.now(UTC) - timedelta(seconds=60)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, 0.3, started_at=began)])
    claimed = await head(store, owner, endpoint, 30)

    (late,) = await eventually(lambda: store.claim_due_deliveries(owner, 5), what="the retry to be due")

    assert (late.delivery.id, claimed.delivery.id) == (ids[0], ids[1])
    await store.record_attempts([attempted(late, RETRYING)])
    assert [one.delivery.id for one in await store.claim_deliveries(owner, ids, 5)] == ids[:1]


async def test_what_was_let_go_of_and_finds_no_room_goes_by_the_line(store: Store, owner: InstanceId) -> None:
    """Whoever comes upon it has it wait in the lane, and of that only the line hands out."""
    endpoint = await registered(store, FIFO)
    ids = await told(store, owner, 3)
    began = datetime.now(UTC) - timedelta(seconds=60)
    await store.record_attempts([attempted(await head(store, owner, endpoint), RETRYING, 0.1, started_at=began)])
    claimed = await head(store, owner, endpoint, 30)
    full = LaneRooms(100, [LaneRoom(turn(endpoint).lane, 0, WaitReason.IN_FLIGHT)])
    await eventually(lambda: _is_aside(store, owner, ids[0], full))
    await store.record_attempts([attempted(claimed)])

    again = await head(store, owner, endpoint, 30)

    assert again.delivery.id == ids[0]
    assert await store.claim_waiting(owner, [turn(endpoint)]) == []
    await store.record_attempts([attempted(again)])
    assert await order(store, owner, endpoint) == ids[2:]


async def test_failure_from_before_the_line_that_finds_no_room_goes_by_the_line(
    store: Store, owner: InstanceId
) -> None:
    """It was being sent while its endpoint became a line, so it never stood in it."""
    endpoint = await registered(store)
    ids = await told(store, owner, 1)
    (claimed,) = await store.claim_deliveries(owner, ids, 1)
    lined = await store.update_endpoint(DEFAULT_TENANT, endpoint.id, endpoint.version, FIFO)
    assert lined is not None
    await store.record_attempts([attempted(claimed, RETRYING)])
    full = LaneRooms(100, [LaneRoom(turn(lined).lane, 0, WaitReason.RATE)])
    await store.claim_due_in_lanes(owner, 5, full)

    assert await order(store, owner, lined) == ids


async def _is_aside(store: Store, owner: InstanceId, delivery_id: DeliveryId, rooms: LaneRooms) -> bool:
    await store.claim_due_in_lanes(owner, 5, rooms)
    return (await delivery_now(store, delivery_id)).waits_for is WaitReason.IN_FLIGHT
