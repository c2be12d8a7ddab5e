"""Jobs end while somebody changes an endpoint with a line: nothing is put in a line that is none any more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest

from ringback_backends.contracts.store import Store
from ringback_backends.sql import is_sqlite
from ringback_schemas.endpoints import EndpointRecord
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, InstanceId
from ringback_schemas.states import DeliveryState
from tests.conformance.store.lines import FIFO, order
from tests.conformance.store.making import SETTINGS, delivery_now, registered, told
from tests.waiting import eventually

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
MOVED = replace(FIFO, url="http://other.example/hook", destination="http://other.example:80")

Change = Callable[[], Awaitable[object]]


@pytest.fixture
async def beside(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Another connection; SQLite has one writer, and no such races."""
    if is_sqlite(database_url):
        pytest.skip("one writer at a time")
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def amid(
    beside: asyncpg.Connection, change: Change, store: Store, owner: InstanceId
) -> tuple[DeliveryId, DeliveryId]:
    """A job ends before the change, and one while the change is under way; what is told of them."""
    (first,) = await told(store, owner, 1)
    async with beside.transaction():
        # the change holds the endpoint by then, and waits for this
        await beside.execute("SELECT FROM deliveries WHERE id = $1 FOR UPDATE", first)
        changing = asyncio.ensure_future(change())
        await eventually(lambda: waits(beside, 1))
        telling = asyncio.create_task(told(store, owner, 1))
        await eventually(lambda: waits(beside, 2, telling))
    await changing
    (second,) = await telling
    return first, second


async def waits(beside: asyncpg.Connection, count: int, task: "asyncio.Task[list[DeliveryId]] | None" = None) -> bool:
    """Whether so many wait for a lock, or the task has ended without."""
    await beside.execute("SELECT pg_stat_clear_snapshot()")
    return (task is not None and task.done()) or await beside.fetchval(WAITING) >= count


@pytest.fixture
async def endpoint(store: Store) -> EndpointRecord:
    """An endpoint with a line."""
    return await registered(store, FIFO)


async def test_endpoint_that_ceases_to_be_a_line_meanwhile(
    store: Store, second_store: Store, owner: InstanceId, endpoint: EndpointRecord, beside: asyncpg.Connection
) -> None:
    """Both are due like any."""
    both = await amid(
        beside, lambda: second_store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, SETTINGS), store, owner
    )

    claimed = await store.claim_due_deliveries(owner, 5)

    assert {one.delivery.id for one in claimed} == set(both)


async def test_line_that_moves_meanwhile(
    store: Store, second_store: Store, owner: InstanceId, endpoint: EndpointRecord, beside: asyncpg.Connection
) -> None:
    """Both stand in the new one, in their order."""
    both = await amid(beside, lambda: second_store.update_endpoint(DEFAULT_TENANT, endpoint.id, 1, MOVED), store, owner)

    assert await order(store, owner, replace(endpoint, settings=MOVED)) == list(both)


async def test_endpoint_that_is_deleted_meanwhile(
    store: Store, second_store: Store, owner: InstanceId, endpoint: EndpointRecord, beside: asyncpg.Connection
) -> None:
    """Nothing is told to it any more, and nothing waits for ever."""
    (first,) = await told(store, owner, 1)
    async with beside.transaction():
        await beside.execute("SELECT FROM deliveries WHERE id = $1 FOR UPDATE", first)
        deleting = asyncio.create_task(second_store.delete_endpoint(DEFAULT_TENANT, endpoint.id))
        await eventually(lambda: waits(beside, 1))
        telling = asyncio.create_task(told(store, owner, 1))
        await eventually(lambda: waits(beside, 2, telling))

    assert await deleting
    assert await telling == []
    assert (await delivery_now(store, first)).state is DeliveryState.CANCELLED


async def test_claim_that_comes_before_the_deletion_goes_on(
    store: Store, second_store: Store, owner: InstanceId, beside: asyncpg.Connection
) -> None:
    """What is being sent ends as it ends."""
    endpoint = await registered(store)
    (one,) = await told(store, owner, 1)
    async with beside.transaction():
        # a claim that is not committed yet
        await beside.execute(
            "UPDATE deliveries SET state = 'sending', owner = $2, attempt = 1 WHERE id = $1", one, owner
        )
        deleting = asyncio.create_task(second_store.delete_endpoint(DEFAULT_TENANT, endpoint.id))
        await eventually(lambda: waits(beside, 1))

    assert await deleting
    assert (await delivery_now(store, one)).state is DeliveryState.SENDING
