"""The small HTTP port of workers and notifiers."""

import socket
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from ringback_backends.contracts.errors import SchemaMismatch, StoreUnavailable
from ringback_backends.contracts.store import Store
from ringback_backends.health import HealthPortTaken, serving_health
from ringback_backends.inprocess import InProcessBroker
from ringback_backends.readiness import Readiness


class Pinged:
    """A store that answers a ping as told."""

    def __init__(self, answer: str | Exception) -> None:
        self._answer = answer

    async def ping(self) -> str:
        """What it was told."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@asynccontextmanager
async def served(answer: str | Exception, *, is_draining: bool = False) -> Any:
    """Serve the probes of such a process; gives a session on it."""
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(3)
    broker = InProcessBroker()
    await broker.start()
    readiness = Readiness(cast("Store", Pinged(answer)), broker, is_draining=lambda: is_draining)
    async with (
        serving_health("127.0.0.1", 0, readiness, registry, "1.2.3") as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def test_process_with_a_store_is_ready() -> None:
    """A process whose store answers is ready, and says on what that rests."""
    async with served("0001") as session, session.get("/readyz") as response:
        body = await response.json()

    assert (response.status, body["ready"]) == (200, True)
    assert {check["name"]: check["status"] for check in body["checks"]} == {
        "store": "ok",
        "schema": "ok",
        "broker": "ok",
        "draining": "ok",
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreUnavailable("ping", "user otto of host 10.0.0.1"), "does not answer as it should; the log says why"),
        (StoreUnavailable("ping", "user otto of host 10.0.0.1", remedy="no such database: create it"), "create it"),
    ],
)
async def test_probe_tells_what_to_do_and_no_names(error: StoreUnavailable, told: str) -> None:
    """Anybody may ask: what the driver says stays in the log."""
    async with served(error) as session, session.get("/readyz") as response:
        detail = (await response.json())["checks"][0]["detail"]

    assert told in detail
    assert "otto" not in detail
    assert "10.0.0.1" not in detail


@pytest.mark.parametrize("answer", [StoreUnavailable("ping", "away"), SchemaMismatch("0000", "0001")])
async def test_process_without_a_store_is_unready_but_alive(answer: Exception) -> None:
    """Without its store a process is not ready; it lives all the same, so nobody restarts it for that."""
    async with served(answer) as session:
        async with session.get("/readyz") as response:
            ready = response.status
        async with session.get("/healthz") as response:
            alive = (response.status, (await response.json())["version"])

    assert (ready, alive) == (503, (200, "1.2.3"))


async def test_process_that_drains_is_unready() -> None:
    """A process that stops says so."""
    async with served("0001", is_draining=True) as session, session.get("/readyz") as response:
        assert response.status == 503


async def test_metrics_are_shown() -> None:
    """A scrape gives the process's own metrics."""
    async with served("0001") as session, session.get("/metrics") as response:
        text = await response.text()

    assert "things_total 3.0" in text


async def test_taken_port_is_told_in_words() -> None:
    """A port that somebody listens on is a clear error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        readiness = Readiness(cast("Store", Pinged("0001")), InProcessBroker())
        with pytest.raises(HealthPortTaken, match=f"127.0.0.1:{port}"):
            await serving_health("127.0.0.1", port, readiness, CollectorRegistry(), "1").__aenter__()


async def test_readiness_is_false_until_what_it_waits_for_has_come() -> None:
    """A front end is not ready before its first key is in the store: who waits for readiness may use the key."""
    broker = InProcessBroker()
    await broker.start()
    readiness = Readiness(cast("Store", Pinged("0001")), broker)

    readiness.wait_for("the bootstrap key")
    before = await readiness.check()
    readiness.begin()
    after = await readiness.check()

    assert (before.ready, after.ready) == (False, True)
    assert before.checks[-1].detail == "waits for the bootstrap key"
