"""The front end as a process: over a real RabbitMQ and a real PostgreSQL."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from pydantic import SecretStr

from ringback.secretbox import new_key
from ringback.settings import Settings, SettingsError
from ringback.telemetry.metrics import Metrics
from ringback_backends.lease.drain import Shutdown
from ringback_backends.sql import migrate
from ringback_service.api.server import CannotListen
from ringback_service.main_api import run_api
from tests.waiting import eventually

KEY = "rbk_bootstrap_of_the_tests_of_main_api"
BEARER = {"Authorization": f"Bearer {KEY}"}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _settings(database_url: str, amqp_url: str, port: int) -> Settings:
    return Settings(
        database_url=SecretStr(database_url),
        broker_url=SecretStr(amqp_url),
        port=port,
        encryption_keys=[SecretStr(new_key())],
        bootstrap_api_key=SecretStr(KEY),
        heartbeat_s=1,
        lease_s=3,
        drain_s=1,
    )


def _metrics() -> Metrics:
    return Metrics(role="api", version="0", store="postgresql", broker="rabbitmq")


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    shutdown = Shutdown()
    process = asyncio.create_task(run_api(settings, _metrics(), shutdown))
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{settings.port}", headers=BEARER) as session:

            async def answers() -> bool:
                if process.done():
                    process.result()
                try:
                    async with session.get("/healthz") as response:
                        return response.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await eventually(answers, what="the front end to answer")
            yield session
    finally:
        shutdown.request()
        async with asyncio.timeout(20):
            await process


async def test_process_accepts_jobs_with_the_bootstrap_key(postgres_url: str, amqp_url: str) -> None:
    """A fresh database needs nothing but its schema; a soft stop ends the process in good order."""
    await migrate(postgres_url)

    async with _running(_settings(postgres_url, amqp_url, _free_port())) as session:

        async def accepted() -> bool:
            async with session.post("/v1/jobs", json={"type": "demo.echo", "payload": 1}) as response:
                return response.status == 202

        assert await eventually(accepted, what="a 202")
        async with session.get("/readyz") as response:
            assert response.status == 200, await response.text()


async def test_process_answers_503_while_its_store_is_away(amqp_url: str) -> None:
    """It listens, says what is wrong, and waits."""
    settings = _settings(f"postgresql://nobody@127.0.0.1:{_free_port()}/none", amqp_url, _free_port())

    async with _running(settings) as session:
        async with session.get("/readyz") as response:
            assert response.status == 503
        async with session.post("/v1/jobs", json={"type": "demo.echo"}) as response:
            body = await response.json(content_type=None)
            assert (response.status, body["code"], response.headers["Retry-After"]) == (503, "storage-unavailable", "2")


async def test_process_says_which_address_it_cannot_have(postgres_url: str, amqp_url: str) -> None:
    """Two processes on one port: the second one says so and ends."""
    await migrate(postgres_url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await run_api(_settings(postgres_url, amqp_url, port), _metrics(), Shutdown())


async def test_process_needs_a_broker_that_others_reach(postgres_url: str) -> None:
    """A broker inside this process would carry nothing to a worker in another."""
    with pytest.raises(SettingsError, match="RINGBACK_BROKER_URL"):
        await run_api(_settings(postgres_url, "embedded", _free_port()), _metrics(), Shutdown())
