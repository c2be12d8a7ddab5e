"""A PostgreSQL that goes away, comes back, hangs or is held: bounded, told, and over when it is over."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from ringback.secretbox import SecretBox
from ringback_backends.contracts.errors import StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.sql import migrate, open_store
from ringback_schemas.ids import DEFAULT_TENANT, new_instance_id
from tests.conformance.store.conftest import SEALING_KEY
from tests.conformance.store.making import TYPE, ended, instance, job, recorded, running
from tests.faults.proxy import TcpProxy
from tests.servers import needed
from tests.servers.databases import run_apart
from tests.servers.postgres import PostgresServer
from tests.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL to stop and to start."""
    with needed(PostgresServer) as private:
        run_apart(_migrate(private.url))
        yield private


async def _migrate(url: str) -> None:
    await migrate(url)


@pytest.fixture
async def store(server: PostgresServer) -> AsyncIterator[Store]:
    """A store over it, in use."""
    await asyncio.to_thread(server.start)
    async with open_store(server.url, secret_box=SecretBox([SEALING_KEY]), pool_size=4) as opened:
        await opened.create_tenant(DEFAULT_TENANT, "first")
        await asyncio.gather(*(opened.accept([job()]) for _ in range(4)))
        yield opened


async def accepts(store: Store) -> bool:
    """Whether a job is taken now."""
    try:
        await store.accept([job()])
    except StoreUnavailable:
        return False
    return True


@pytest.mark.parametrize("is_immediate", [True, False])
async def test_a_restart_is_over_when_it_is_over(server: PostgresServer, store: Store, is_immediate: bool) -> None:  # noqa: FBT001 - a parameter
    """After a restart the first call of each kind goes through, within two seconds, without opening the store anew."""
    owner = new_instance_id()
    claimed = await running(store, owner)
    # claims are relaxed; what is committed after them brings them to the disk
    await store.accept([job()])
    await asyncio.to_thread(server.restart, immediate=is_immediate)

    async with asyncio.timeout(2):
        assert await eventually(lambda: accepts(store), within_s=2)
        assert await recorded(store, [ended(claimed)]) == [True]
        await store.beat(instance(owner))
        assert await store.get_job(DEFAULT_TENANT, claimed.job.id) is not None


async def test_a_stopped_server_is_told_at_once(server: PostgresServer, store: Store) -> None:
    """While the server is down every kind of call says unavailable, at once."""
    await asyncio.to_thread(server.stop, immediate=True)
    started = time.monotonic()

    for call in (store.accept([job()]), store.list_tenants(), store.beat(instance(new_instance_id())), store.ping()):
        with pytest.raises(StoreUnavailable):
            await call

    assert time.monotonic() - started < 2
    await asyncio.to_thread(server.start)
    assert await eventually(lambda: accepts(store), within_s=2)


async def test_calls_under_way_when_the_server_dies_are_told(server: PostgresServer, store: Store) -> None:
    """No call hangs and no driver's error comes out when the server is killed under load."""
    owner = new_instance_id()

    async def work() -> None:
        while True:
            await store.accept([new := job()])
            await store.claim_jobs(owner, [new.id], [TYPE], 1)
            await store.get_job(DEFAULT_TENANT, new.id)

    workers = [asyncio.create_task(work()) for _ in range(6)]
    await asyncio.sleep(0.2)  # some load before the blow, not a wait for anything
    await asyncio.to_thread(server.kill)

    async with asyncio.timeout(15):
        ends = await asyncio.gather(*workers, return_exceptions=True)
    assert {type(end) for end in ends} == {StoreUnavailable}
    await asyncio.to_thread(server.start)
    assert await eventually(lambda: accepts(store), within_s=2)


async def test_a_lock_held_for_long_is_an_outage(server: PostgresServer, store: Store) -> None:
    """A table that somebody locks makes calls unavailable after a bounded wait, and all is well afterwards."""
    stranger = await asyncpg.connect(server.url)
    transaction = stranger.transaction()
    await transaction.start()
    await stranger.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")

    async with asyncio.timeout(12):
        answers = await asyncio.gather(
            store.accept([job()]), store.get_job(DEFAULT_TENANT, job().id), return_exceptions=True
        )

    assert {type(answer) for answer in answers} == {StoreUnavailable}
    await transaction.rollback()
    await stranger.close()
    assert await accepts(store)


async def test_packets_that_vanish_are_an_outage(server: PostgresServer, store: Store) -> None:
    """Connections gone silent make calls unavailable within their deadline; afterwards new ones are opened."""
    async with TcpProxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        async with open_store(url, secret_box=SecretBox([SEALING_KEY]), deadline_s=1) as distant:
            await asyncio.gather(distant.accept([job()]), distant.list_tenants())
            proxy.hold()

            async with asyncio.timeout(5):
                calls = (distant.accept([job()]), distant.list_tenants(), distant.beat(instance(new_instance_id())))
                answers = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(answer) for answer in answers} == {StoreUnavailable}

            proxy.heal()
            assert await eventually(lambda: accepts(distant), within_s=3)
            assert await distant.get_tenant(DEFAULT_TENANT) is not None


async def test_cut_connections_are_replaced(server: PostgresServer, store: Store) -> None:
    """After idle connections were reset, the first call of each kind goes through."""
    async with TcpProxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        async with open_store(url, secret_box=SecretBox([SEALING_KEY])) as distant:
            await asyncio.gather(distant.accept([job()]), distant.list_tenants())
            proxy.cut()
            await eventually(lambda: proxy.connections == 0)

            assert await eventually(lambda: accepts(distant), within_s=1)
            assert await distant.get_tenant(DEFAULT_TENANT) is not None
