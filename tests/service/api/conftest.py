"""A front end with a real store, and somebody who plays the worker."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, Field

from ringback.job import Job
from ringback.secretbox import SecretBox, new_key
from ringback.task import Task, task
from ringback_backends.announcer import Announcer
from ringback_backends.contracts.store import Store
from ringback_backends.endings import end_job
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.sql import migrate, open_store
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryOutcome, Timing, Verdict
from ringback_schemas.ids import DEFAULT_TENANT, DeliveryId, JobId, KeyId, TenantId, new_id, new_instance_id
from ringback_schemas.instances import NewInstance, Role
from ringback_schemas.jobs import ClaimedJob
from ringback_schemas.states import DeliveryState, JobState
from ringback_schemas.tenants import ALL_SCOPES, Scope
from ringback_service.api.app import build_app
from ringback_service.api.assembly import ApiPlan, ApiTelemetry, open_dependencies
from ringback_service.api.dependencies import ApiDependencies
from ringback_service.api.telemetry import Unobserved

PUBLIC_URL = "https://ringback.test/base"
KEY = "rbk_of_the_tests"


class Order(BaseModel):
    """A payload with something to get wrong."""

    rows: list[int] = Field(max_length=10)
    note: str = ""


@task("test.echo")
async def echo(job: Job, payload: Any) -> Any:
    """Give back what was given.

    Anything goes.
    """
    return payload


@task("test.order", queue="orders", timeout_s=7, max_attempts=2)
async def order(job: Job, payload: Order) -> int:
    """Sum the rows."""
    return sum(payload.rows)


TASKS: Mapping[str, Task] = {task.name: task for task in (echo, order)}


@dataclass(frozen=True)
class Api:
    """A front end under test."""

    deps: ApiDependencies
    store: Store
    client: TestClient[Any, Any]

    async def call(
        self, method: str, path: str, *, key: str | None = KEY, headers: Mapping[str, str] | None = None, **more: Any
    ) -> "Reply":
        """A request with the bootstrap key, unless told otherwise."""
        own = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with self.client.request(method, path, headers={**own, **(headers or {})}, **more) as response:
            is_json = response.content_type.endswith("json") and method != "HEAD" and response.status != 304
            body = await response.json(content_type=None) if is_json else await response.text()
            return Reply(response.status, body, CIMultiDict(response.headers))

    async def submit(self, **request: Any) -> dict[str, Any]:
        """Submit a job that must be accepted; ``test.echo`` unless told otherwise."""
        reply = await self.call("POST", "/v1/jobs", json={"type": "test.echo", **request})
        assert reply.status == 202, reply.body
        job: dict[str, Any] = reply.body
        return job

    async def claim(self, job_id: str) -> ClaimedJob:
        """Take a job as a worker does."""
        worker = NewInstance(
            new_instance_id(), Role.WORKER, "test", 1, "0", queues=("default", "orders"), task_types=tuple(TASKS)
        )
        await self.store.beat(worker)
        (claimed,) = await self.store.claim_jobs(worker.id, [JobId(job_id)], list(TASKS), 1)
        return claimed

    async def finish(self, job_id: str, state: JobState = JobState.SUCCEEDED, **more: Any) -> None:
        """Run a job to its end as a worker does."""
        claimed = await self.claim(job_id)
        outcome = end_job(claimed.job, state, now=datetime.now(UTC), public_url=PUBLIC_URL, **more)
        assert None not in await self.store.finish_jobs([outcome])

    async def exhaust(self, delivery_id: str) -> None:
        """Make the only attempt of a delivery fail, as a notifier does."""
        notifier = new_instance_id()
        (claimed,) = await self.store.claim_deliveries(notifier, [DeliveryId(delivery_id)], 1)
        record = claimed.delivery
        attempt = DeliveryAttempt(
            attempt=record.attempt,
            started_at=datetime.now(UTC),
            timing=Timing(total_s=0.25, dns_s=0.01),
            verdict=Verdict.SERVER_ERROR,
            reason="503: given up",
            status=503,
            remote_address="192.0.2.1",
            response_prefix=b"busy \xff",
        )
        outcome = DeliveryOutcome(record.id, notifier, attempt, DeliveryState.EXHAUSTED, endpoint_id=record.endpoint_id)
        assert await self.store.record_attempts([outcome]) == [True]

    async def key_with(self, *scopes: Scope, tenant_id: TenantId = DEFAULT_TENANT) -> str:
        """A fresh API key."""
        key = f"rbk_{new_id('test')}"
        await self.store.create_key(
            KeyId(new_id("key")), tenant_id, "test", frozenset(scopes), hashlib.sha256(key.encode()).digest(), key[:8]
        )
        return key

    async def stranger(self) -> str:
        """A key with all scopes of another tenant."""
        tenant = await self.store.create_tenant(TenantId(new_id("ten")), "stranger")
        return await self.key_with(*ALL_SCOPES, tenant_id=tenant.id)


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code of a problem document."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        assert self.body["status"] == self.status
        assert self.body["type"] == f"/problems/{self.body['code']}"
        assert self.body["request_id"] == self.headers["X-Request-Id"]
        return self.status, self.body["code"]

    @property
    def places(self) -> list[str]:
        """Pointers and parameters of the errors in a problem document."""
        return [
            error["pointer"] if error["pointer"] is not None else error["parameter"] for error in self.body["errors"]
        ]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh SQLite store with the default tenant and one key that may do all."""
    url = f"sqlite:///{tmp_path}/ringback.db"
    await migrate(url)
    async with open_store(url, secret_box=SecretBox([new_key()])) as opened:
        await opened.create_tenant(DEFAULT_TENANT, "default")
        await opened.create_key(
            KeyId(new_id("key")), DEFAULT_TENANT, "test", ALL_SCOPES, hashlib.sha256(KEY.encode()).digest(), KEY[:8]
        )
        yield opened


@pytest.fixture
async def api(store: Store) -> AsyncIterator[Api]:
    """A front end that may ring back to 192.0.2.0/24 beside the public internet."""
    plan = ApiPlan("127.0.0.1", PUBLIC_URL, "0.0.0", callback_allow=[ip_network("192.0.2.0/24")], max_body_bytes=65_536)
    broker = InProcessBroker()
    async with AsyncExitStack() as stack:
        await broker.start()
        stack.push_async_callback(broker.close)
        announcer = await stack.enter_async_context(Announcer(broker))
        deps = await stack.enter_async_context(
            open_dependencies(
                plan,
                ApiTelemetry(Unobserved(), CollectorRegistry()),
                store=store,
                broker=broker,
                announcer=announcer,
                tasks=TASKS,
            )
        )
        client = await stack.enter_async_context(TestClient(TestServer(build_app(deps))))
        yield Api(deps, store, client)
