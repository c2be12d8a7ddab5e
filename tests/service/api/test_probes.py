"""Liveness, readiness, metrics."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ringback.telemetry.metrics import Metrics
from ringback_backends.contracts.broker import BrokerStatus
from ringback_backends.contracts.errors import SchemaMismatch, StoreUnavailable
from ringback_schemas.tenants import Scope
from ringback_service.api.app import build_app
from tests.service.api.conftest import Api


def _break(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def broken(*_: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(api.store, "ping", broken)


def _statuses(body: Any) -> dict[str, str]:
    return {check["name"]: check["status"] for check in body["checks"]}


async def test_liveness_asks_nobody(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose store is away is not restarted."""
    _break(api, monkeypatch, StoreUnavailable("ping", "gone"))

    reply = await api.call("GET", "/healthz", key=None)

    assert (reply.status, reply.body) == (200, {"status": "ok", "version": "0.0.0"})


async def test_readiness_lists_what_it_rests_on(api: Api) -> None:
    """All is well."""
    reply = await api.call("GET", "/readyz", key=None)

    assert (reply.status, reply.body["ready"]) == (200, True)
    assert _statuses(reply.body) == {"store": "ok", "schema": "ok", "broker": "ok", "draining": "ok"}


async def test_readiness_without_the_store_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which dependency, and what still works."""
    _break(api, monkeypatch, StoreUnavailable("ping", "gone"))

    reply = await api.call("GET", "/readyz", key=None)

    assert (reply.status, _statuses(reply.body)["store"]) == (503, "failed")
    assert "running jobs go on" in str(reply.body)


async def test_readiness_of_a_store_that_hangs_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for ever."""

    async def hang() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(api.store, "ping", hang)

    async with asyncio.timeout(5):
        assert (await api.call("GET", "/readyz", key=None)).status == 503


async def test_readiness_with_another_schema_is_a_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to do."""
    _break(api, monkeypatch, SchemaMismatch(None, "0001"))

    reply = await api.call("GET", "/readyz", key=None)

    assert (reply.status, _statuses(reply.body)["schema"]) == (503, "failed")
    assert "ringback migrate" in str(reply.body)


async def test_readiness_without_the_broker_is_degraded(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting and work go on by polling, so requests are still welcome."""
    away = BrokerStatus(is_connected=False, is_blocked=False, since=datetime.now(UTC), detail="amqp://user:secret@host")
    monkeypatch.setattr(api.deps.announcer._broker, "_status", away)

    reply = await api.call("GET", "/readyz", key=None)

    assert (reply.status, _statuses(reply.body)["broker"]) == (200, "degraded")
    assert "secret" not in str(reply.body)


async def test_readiness_while_draining_is_a_503(api: Api) -> None:
    """Balancers look elsewhere; requests are still answered."""
    api.deps.readiness.drain()

    assert (await api.call("GET", "/readyz", key=None)).status == 503
    assert (await api.call("GET", "/v1/jobs")).status == 200


async def test_metrics_count_what_happened(api: Api) -> None:
    """Requests by route, jobs by task, refusals by reason, replays."""
    metrics = Metrics(role="api", version="0", store="sqlite", broker="inprocess")
    deps = replace(api.deps, observer=metrics.api, metrics=metrics.registry)
    async with TestClient(TestServer(build_app(deps))) as client:
        counted = replace(api, deps=deps, client=client)
        for key in ("a", "a", "b"):
            await counted.call("POST", "/v1/jobs", json={"type": "test.echo"}, headers={"Idempotency-Key": key})
        await counted.call("POST", "/v1/jobs", json={"type": "nothing"})
        await counted.call("GET", "/v1/jobs/nonsense")
        text = (await counted.call("GET", "/metrics", key=None)).body

    assert 'ringback_http_requests_total{code="202",method="POST",route="/v1/jobs"} 3.0' in text
    assert 'ringback_http_requests_total{code="404",method="GET",route="/v1/jobs/{id}"} 1.0' in text
    assert 'ringback_jobs_accepted_total{queue="default",task="test.echo"} 2.0' in text
    assert 'ringback_jobs_rejected_total{reason="unknown-kind"} 1.0' in text
    assert 'ringback_idempotent_replays_total{result="same"} 1.0' in text
    assert "/metrics" not in text


async def test_metrics_need_a_key_where_others_can_reach_them(api: Api) -> None:
    """On loopback anybody may look; elsewhere the scope is asked for."""
    deps = replace(api.deps, is_local=False)
    async with TestClient(TestServer(build_app(deps))) as client:
        reached = replace(api, deps=deps, client=client)
        without = await reached.call("GET", "/metrics", key=None)
        wrong = await reached.call("GET", "/metrics", key=await api.key_with(Scope.JOBS_READ))
        right = await reached.call("GET", "/metrics", key=await api.key_with(Scope.METRICS))

    assert (without.problem, wrong.problem) == ((401, "unauthenticated"), (403, "forbidden"))
    assert right.status == 200
