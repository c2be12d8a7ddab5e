"""Everything in one process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ringback.client import Client, ProblemError
from ringback.embedded import Embedded
from ringback.registry import TaskModuleError
from ringback.settings import Settings, load_settings
from tests.answers import Answer
from tests.receiver import Receiver
from tests.waiting import eventually


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings of a service with its data in that folder."""
    given: dict[str, Any] = {
        "database_url": f"sqlite:///{folder}/data/ringback.db",
        "port": 0,
        "public_url": "http://127.0.0.1:0",
        "callback_allow": ["127.0.0.0/8"],
        "retry_schedule": [0.05, 0.05],
    }
    return load_settings(**{**given, **more})


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Embedded]:
    """A running service."""
    async with Embedded(settings_in(tmp_path)) as running:
        yield running


@pytest.fixture
async def client(service: Embedded) -> AsyncIterator[Client]:
    """A client of it."""
    async with Client(service.url, service.api_key) as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Takes webhooks."""
    async with Receiver() as one:
        yield one


async def test_embedded_goes_the_whole_road(client: Client, receiver: Receiver) -> None:
    """Accepted, performed, rung back, verified."""
    job = await client.submit("demo.echo", {"a": 1}, callback_url=receiver.url())
    (request,) = await receiver.wait_for(1)

    event = request.verify(await client.signing_secrets()).json()

    assert (event["type"], event["data"]["id"], event["data"]["result"]) == ("job.succeeded", job.id, {"a": 1})


async def test_embedded_rings_back_on_failure(client: Client, receiver: Receiver) -> None:
    """A job that fails is told of like one that succeeds."""
    await client.submit("demo.fail", {"message": "no"}, callback_url=receiver.url(), max_attempts=1)
    (request,) = await receiver.wait_for(1)

    assert (request.json()["type"], request.json()["data"]["error"]["message"]) == ("job.failed", "no")


async def test_embedded_sends_again_what_was_refused(client: Client, receiver: Receiver) -> None:
    """With the same id and the same bytes."""
    receiver.script(Answer(503), Answer(500))
    job = await client.submit("demo.echo", 1, callback_url=receiver.url())
    requests = await receiver.wait_for(3)

    assert len({(request.webhook_id, request.body) for request in requests}) == 1
    await eventually(lambda: _is_delivered(client, job.id), what="the delivery is recorded")


async def _is_delivered(client: Client, job_id: str) -> bool:
    (delivery,) = await client.deliveries(job_id)
    return delivery.state == "delivered" and len(delivery.attempts or ()) == 3


async def test_embedded_starts_what_is_for_later_without_polling(tmp_path: Path) -> None:
    """A delay and a backoff end when they end, not with the next poll."""
    async with (
        Embedded(settings_in(tmp_path, poll_s=600, poll_away_s=600)) as service,
        Client(service.url, service.api_key) as client,
    ):
        delayed = await client.submit("demo.echo", 1, delay_s=0.5)
        flaky = await client.submit("demo.fail", {"times": 1})
        ended = [await client.wait(job.id, timeout_s=30) for job in (delayed, flaky)]

    assert [(job.state, job.attempt) for job in ended] == [("succeeded", 1), ("succeeded", 2)]


async def test_embedded_rings_back_for_its_last_jobs(tmp_path: Path, receiver: Receiver) -> None:
    """What still runs when it is stopped is finished, and told of before it ends."""
    async with (
        Embedded(settings_in(tmp_path, poll_s=600, poll_away_s=600)) as service,
        Client(service.url, service.api_key) as client,
    ):
        job = await client.submit("demo.sleep", {"seconds": 0.5}, callback_url=receiver.url())
        await eventually(lambda: _has_state(client, job.id, "running"), what="the job runs")

    (request,) = receiver.requests
    assert (request.json()["type"], request.json()["data"]["id"]) == ("job.succeeded", job.id)
    assert service.exit_code == 0


async def test_embedded_cancels_a_running_job(client: Client) -> None:
    """The task stops, and the job ends as cancelled."""
    job = await client.submit("demo.sleep", {"seconds": 60})
    await eventually(lambda: _has_state(client, job.id, "running"), what="the job runs")

    await client.cancel(job.id)

    assert (await client.wait(job.id, timeout_s=10)).state == "cancelled"


async def _has_state(client: Client, job_id: str, state: str) -> bool:
    return (await client.get(job_id)).state == state


async def test_embedded_runs_report_csv(client: Client, receiver: Receiver) -> None:
    """A built-in task on data from a URL, through the guard that the operator opened for it."""
    receiver.always(Answer(200, {}, b"n\n1\n3\n"))
    job = await client.submit("report.csv", {"url": receiver.url("/data.csv")})

    done = await client.wait(job.id, timeout_s=10)

    assert (done.state, await client.result(job.id))[0] == "succeeded"
    assert (await client.result(job.id))["columns"][0]["mean"] == 2.0


async def test_embedded_tells_where_a_payload_is_wrong(client: Client) -> None:
    """Before the job is accepted."""
    with pytest.raises(ProblemError) as refusal:
        await client.submit("demo.sleep", {"seconds": "x"})

    assert refusal.value.pointer == "/payload/seconds"


async def test_embedded_counts_the_road(service: Embedded, client: Client, receiver: Receiver) -> None:
    """What is accepted, finished and delivered is on /metrics."""
    await client.submit("demo.echo", 1, callback_url=receiver.url())
    await receiver.wait_for(1)

    async def is_counted() -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{service.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        wanted = (
            'ringback_jobs_accepted_total{queue="default",task="demo.echo"} 1.0',
            'ringback_jobs_finished_total{state="succeeded",task="demo.echo"} 1.0',
            'ringback_roundtrip_seconds_count{kind="callback"} 1.0',
            "ringback_broker_connected 1.0",
        )
        return all(line in lines for line in wanted)

    await eventually(is_counted, what="the road in the metrics")


async def test_embedded_keeps_jobs_and_key_over_a_restart(tmp_path: Path) -> None:
    """The second start finds what the first one left."""
    async with Embedded(settings_in(tmp_path)) as first, Client(first.url, first.api_key) as client:
        job = await client.submit("demo.echo", 1)
        await client.wait(job.id, timeout_s=10)

    async with Embedded(settings_in(tmp_path)) as second, Client(second.url, first.api_key) as client:
        assert second.api_key == first.api_key
        assert (await client.get(job.id)).state == "succeeded"


async def test_embedded_does_at_the_next_start_what_was_left(tmp_path: Path) -> None:
    """A job that could not finish in the time to drain is given back uncharged, and runs again."""
    hasty = settings_in(tmp_path, drain_s=0)
    async with Embedded(hasty) as first, Client(first.url, first.api_key) as client:
        job = await client.submit("demo.sleep", {"seconds": 0.8}, max_attempts=1)
        await eventually(lambda: _has_state(client, job.id, "running"), what="the job runs")

    async with Embedded(settings_in(tmp_path)) as second, Client(second.url, second.api_key) as client:
        done = await client.wait(job.id, timeout_s=20)

    assert (first.exit_code, done.state, done.attempt) == (8, "succeeded", 2)


async def test_embedded_keeps_its_key_for_its_owner(service: Embedded) -> None:
    """Mode 0600, beside the data."""
    assert service.key_path is not None
    assert service.key_path.stat().st_mode & 0o777 == 0o600
    assert service.key_path.read_text().strip() == service.api_key


async def test_embedded_takes_a_key_from_the_settings(tmp_path: Path) -> None:
    """Then no file is made."""
    settings = settings_in(tmp_path, bootstrap_api_key="rbk_0123456789abcdef0123456789abcdef")

    async with Embedded(settings) as service, Client(service.url, "rbk_0123456789abcdef0123456789abcdef") as client:
        assert await client.task_types()
        assert service.key_path is None


async def test_embedded_closes_everything_when_it_cannot_start(tmp_path: Path) -> None:
    """A wrong setting leaves nothing running."""
    before = len(asyncio.all_tasks())

    with pytest.raises(TaskModuleError):
        async with Embedded(settings_in(tmp_path, tasks="nosuch.tasks")):
            pass

    assert len(asyncio.all_tasks()) == before


async def test_embedded_runs_over_postgresql_and_rabbitmq(
    tmp_path: Path, module_postgres_url: str, module_amqp_url: str
) -> None:
    """The same process over real servers, when the settings say so."""
    settings = settings_in(
        tmp_path,
        database_url=module_postgres_url,
        broker_url=module_amqp_url,
        bootstrap_api_key="rbk_0123456789abcdef0123456789abcdef",
        encryption_keys=["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
    )
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        service = await stack.enter_async_context(Embedded(settings))
        client = await stack.enter_async_context(Client(service.url, service.api_key))
        await client.submit("demo.echo", 1, callback_url=receiver.url())
        (request,) = await receiver.wait_for(1)

        assert request.verify(await client.signing_secrets()).json()["type"] == "job.succeeded"
