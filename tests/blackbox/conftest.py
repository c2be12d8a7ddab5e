"""A running service for all black-box tests, and for each of them a tenant and a receiver of its own."""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from ringback.client import Client
from ringback.embedded import Embedded
from ringback.settings import load_settings
from tests.blackbox.world import SCHEDULE_S, World
from tests.faults.fleet import API_KEY, Fleet, FleetPlan
from tests.receiver import Receiver

SETTINGS = {
    "TASKS": "ringback.demo",
    "RETRY_SCHEDULE": json.dumps(SCHEDULE_S),
    "DELIVERY_TIMEOUT_S": "3",
    "CONNECT_TIMEOUT_S": "2",
    "LOG_LEVEL": "debug",
}

Join = Callable[[], Awaitable[World]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share a loop, for they share a process of it."""
    for item in items:
        is_ours = Path(__file__).parent in item.path.parents
        if is_ours and isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def fleet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """``ringback serve`` as a process of its own; loopback is opened, nothing else."""
    plan = FleetPlan("", "", is_embedded=True, settings=SETTINGS)
    async with Fleet(plan, tmp_path_factory.mktemp("blackbox")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def join(fleet: Fleet) -> AsyncIterator[Join]:
    """Makes another tenant of the service, with a key and a receiver."""
    async with AsyncExitStack() as stack:

        async def joined() -> World:
            return await stack.enter_async_context(world_of(fleet.urls[0], API_KEY))

        yield joined


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def package_join(fleet: Fleet) -> AsyncIterator[Join]:
    """As ``join``, for what several tests look at."""
    async with AsyncExitStack() as stack:

        async def joined() -> World:
            return await stack.enter_async_context(world_of(fleet.urls[0], API_KEY))

        yield joined


@pytest_asyncio.fixture(loop_scope="session")
async def world(join: Join) -> World:
    """A tenant of the service."""
    return await join()


@asynccontextmanager
async def world_of(url: str, admin_key: str) -> AsyncIterator[World]:
    """A fresh tenant of the service at that URL."""
    async with aiohttp.ClientSession() as session, Receiver() as receiver:
        admin = {"Authorization": f"Bearer {admin_key}"}
        tenant = await _made(session, f"{url}/v1/tenants", admin, {"name": "black box"})
        scopes = ["jobs:read", "jobs:write", "deliveries:read", "deliveries:write", "endpoints:read"]
        wanted = {"name": "test", "tenant_id": tenant["id"], "scopes": [*scopes, "endpoints:write", "secrets"]}
        key = (await _made(session, f"{url}/v1/keys", admin, wanted))["key"]
        async with Client(url, key) as client:
            yield World(url, key, tenant["id"], client, receiver, session)


async def _made(session: aiohttp.ClientSession, url: str, headers: dict[str, str], body: Any) -> Any:
    async with session.post(url, headers=headers, json=body) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.json()


@asynccontextmanager
async def service_in(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """An embedded service in this process with its data in that folder, and a tenant of it.

    Only for tests that need settings of their own: nothing is opened unless they say so.
    """
    given = {
        "database_url": f"sqlite:///{folder}/data/ringback.db",
        "port": 0,
        "public_url": "http://ringback.test",
        "retry_schedule": list(SCHEDULE_S),
        "drain_s": 1,
    }
    async with Embedded(load_settings(**{**given, **settings})) as service:  # noqa: SIM117 - one needs the other
        async with world_of(service.url, service.api_key) as world:
            yield world
