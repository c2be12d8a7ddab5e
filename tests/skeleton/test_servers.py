"""The servers that tests stand on start, stop, die and forget as they say."""

import asyncio
from collections.abc import Iterator

import aio_pika
import asyncpg
import pytest

from tests.servers import PostgresServer, RabbitServer, needed


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that this test may do anything to."""
    with needed(PostgresServer) as server:
        yield server


@pytest.fixture
def own_rabbit() -> Iterator[RabbitServer]:
    """A RabbitMQ that this test may do anything to."""
    with needed(RabbitServer) as server:
        yield server


async def ask(url: str, question: str) -> object:
    """The first field that PostgreSQL answers."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def declare(url: str, *, passive: bool) -> int:
    """Declare a durable queue, or only look for it; how many messages it has."""
    async with asyncio.timeout(20), await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, passive=passive)
        return queue.declaration_result.message_count or 0


async def test_postgres_keeps_what_was_committed_when_it_is_killed(own_postgres: PostgresServer) -> None:
    """A commit survives SIGKILL, for the tests' server syncs its log like a real one."""
    await ask(own_postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")

    await asyncio.to_thread(own_postgres.kill)
    await asyncio.to_thread(own_postgres.start)

    assert await ask(own_postgres.url, "SELECT answer FROM kept") == 42
    assert await ask(own_postgres.url, "SHOW fsync") == "on"


async def test_postgres_forgets_when_it_is_wiped(own_postgres: PostgresServer) -> None:
    """After a wipe the same address has an empty cluster."""
    await ask(own_postgres.url, "CREATE TABLE kept ()")

    await asyncio.to_thread(own_postgres.wipe)

    assert await ask(own_postgres.url, "SELECT to_regclass('kept')") is None


async def test_rabbit_keeps_durable_queues_when_it_is_restarted(own_rabbit: RabbitServer) -> None:
    """A restart keeps address and topology; a wipe keeps only the address."""
    await declare(own_rabbit.url, passive=False)

    await asyncio.to_thread(own_rabbit.restart)
    assert await declare(own_rabbit.url, passive=True) == 0

    await asyncio.to_thread(own_rabbit.wipe)
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await declare(own_rabbit.url, passive=True)


async def test_each_module_gets_a_database_and_a_vhost_of_its_own(
    module_postgres_url: str, module_amqp_url: str
) -> None:
    """Both are there and empty."""
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"

    assert await ask(module_postgres_url, tables) == 0
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await declare(module_amqp_url, passive=True)
