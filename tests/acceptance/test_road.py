"""The whole road of a job, over HTTP and through real processes: one of them over SQLite, or four over real servers.

``RINGBACK_TEST_AMQP_URL`` and ``RINGBACK_TEST_DATABASE_URL`` say which servers, so that the same tests run over any
version of them. In the fleet nobody polls within the test's time: what arrives soon was carried by RabbitMQ.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from standardwebhooks import Webhook

from ringback.client import Client
from ringback_schemas.states import JobState
from tests.answers import Answer
from tests.faults.fleet import API_KEY, Fleet, FleetPlan
from tests.receiver import Receiver, Request

WITHIN_S = 40.0
"""Nothing but a bound: a machine may be as slow as it likes."""

NOBODY_POLLS = {"POLL_S": "3600", "POLL_AWAY_S": "3600"}


@dataclass(frozen=True, slots=True)
class Road:
    """A running Ringback, a client of it, and the two ends of its webhooks."""

    client: Client
    receiver: Receiver
    verifier: Webhook
    """The official library, with the tenant's secret."""

    async def travel(self, kind: str, payload: Any, **options: Any) -> str:
        """Submit a job whose webhooks come to the receiver; its id."""
        job = await self.client.submit(kind, payload, callback_url=self.receiver.url(), **options)
        return job.id

    async def arrivals(self, count: int) -> list[tuple[Request, dict[str, Any]]]:
        """The first requests that came, each with its event as the official library read it."""
        requests = (await self.receiver.wait_for(count, within_s=WITHIN_S))[:count]
        return [(request, self.verifier.verify(request.body, dict(request.headers))) for request in requests]


@pytest.fixture(scope="module", params=["embedded", "distributed"])
def plan(request: pytest.FixtureRequest) -> FleetPlan:
    """One process over SQLite; or front end, worker and notifier over RabbitMQ and PostgreSQL."""
    tasks = {"TASKS": "ringback.demo"}
    if request.param == "embedded":
        return FleetPlan("", "", is_embedded=True, settings=tasks)
    database_url: str = request.getfixturevalue("module_postgres_url")
    broker_url: str = request.getfixturevalue("module_amqp_url")
    return FleetPlan(database_url, broker_url, apis=1, workers=1, notifiers=1, settings={**tasks, **NOBODY_POLLS})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(plan: FleetPlan, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """The processes, running; all tests of a mode share them."""
    async with Fleet(plan, tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def road(fleet: Fleet) -> AsyncIterator[Road]:
    """The road over these processes, with a receiver of the test's own."""
    async with Receiver() as receiver, Client(fleet.urls[0], API_KEY) as client:
        (secret,) = await client.signing_secrets()
        yield Road(client, receiver, Webhook(secret))


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


async def test_road_carries_a_job_to_a_verified_webhook(road: Road) -> None:
    """Accepted, performed, rung back: the official library takes the signature, and the result is what was computed."""
    job_id = await road.travel("report.csv", {"csv": "city,year\nOslo,1048\nBergen,1070"}, tags=["acceptance"])

    ((request, event),) = await road.arrivals(1)

    assert (event["type"], event["data"]["id"]) == ("job.succeeded", job_id)
    assert event["data"]["result"]["rows"] == 2
    assert request.webhook_id.startswith("evt_")


async def test_road_tells_of_failure(road: Road) -> None:
    """A job that fails for good rings back, too, and says why."""
    job_id = await road.travel("demo.fail", {"message": "no luck"}, max_attempts=1)

    ((_, event),) = await road.arrivals(1)

    assert (event["type"], event["data"]["id"]) == ("job.failed", job_id)
    assert "no luck" in event["data"]["error"]["message"]


async def test_road_repeats_the_same_bytes_until_they_are_taken(road: Road) -> None:
    """A receiver that is down twice gets a third try, with the same id and body."""
    road.receiver.script(Answer(500), Answer(503))
    await road.travel("demo.echo", {"a": 1})

    arrivals = await road.arrivals(3)

    assert len({(request.webhook_id, request.body) for request, _ in arrivals}) == 1


async def test_road_is_told_in_full_afterwards(road: Road) -> None:
    """Job, result and delivery with its attempts can be asked for."""
    job_id = await road.travel("demo.echo", {"a": 1})
    await road.arrivals(1)

    job, deliveries = await road.client.wait(job_id, timeout_s=WITHIN_S), await road.client.deliveries(job_id)

    assert (job.state, await road.client.result(job_id)) == (JobState.SUCCEEDED, {"a": 1})
    assert [delivery.url for delivery in deliveries] == [road.receiver.url()]


async def test_road_takes_many_at_once(road: Road) -> None:
    """A hundred jobs at once are a hundred webhooks, each job's own."""
    jobs = await asyncio.gather(*[road.travel("demo.echo", {"number": number}) for number in range(100)])

    arrivals = await road.arrivals(100)

    assert {event["data"]["id"]: event["data"]["result"]["number"] for _, event in arrivals} == {
        job_id: number for number, job_id in enumerate(jobs)
    }
