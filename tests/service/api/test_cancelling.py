"""Cancelling: at once what waits, by asking what runs."""

from datetime import UTC, datetime

import orjson
import pytest

from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.jobs import Recorded
from ringback_backends.endings import end_job
from ringback_schemas.ids import DEFAULT_TENANT, InstanceId, JobId
from ringback_schemas.jobs import JobOutcome
from ringback_schemas.states import JobState
from tests.service.api.conftest import PUBLIC_URL, Api

CALLBACK = "http://192.0.2.1/hook"


async def test_waiting_job_is_cancelled_at_once(api: Api) -> None:
    """200, and the job is done."""
    job = await api.submit()

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert (reply.status, reply.body["state"], reply.body["done"]) == (200, "cancelled", True)
    assert reply.body["error"]["code"] == "cancelled"


async def test_scheduled_job_is_cancelled_at_once(api: Api) -> None:
    """A job of tomorrow too."""
    job = await api.submit(delay_s=3600)

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert (reply.status, reply.body["state"]) == (200, "cancelled")


async def test_cancelled_job_rings_back(api: Api) -> None:
    """Event and delivery are stored with the cancellation, and announced."""
    subscription = api.deps.announcer._broker.subscribe((DELIVERIES,))
    job = await api.submit(callback_url=CALLBACK)

    await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    (delivery,) = (await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")).body["items"]
    (received,) = await subscription.receive()
    assert (delivery["event_type"], delivery["state"], delivery["url"]) == ("job.cancelled", "pending", CALLBACK)
    assert received.envelope.ids == (delivery["id"],)


async def test_running_job_is_asked_to_stop(api: Api) -> None:
    """202: whether it stops is up to the task."""
    job = await api.submit()
    claimed = await api.claim(job["id"])

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    owner = claimed.job.owner
    assert owner is not None
    assert (reply.status, reply.body["state"], reply.body["cancelling"]) == (202, "running", True)
    assert [ref.job_id for ref in await api.store.cancel_requests(InstanceId(owner))] == [job["id"]]


async def test_job_that_is_done_stays_as_it_is(api: Api) -> None:
    """Not a conflict: cancelling may be repeated."""
    job = await api.submit()
    await api.finish(job["id"], result=b"1")

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert (reply.status, reply.body["state"]) == (200, "succeeded")


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.SUCCEEDED])
async def test_job_that_a_worker_takes_meanwhile_is_not_lost(
    api: Api, monkeypatch: pytest.MonkeyPatch, state: JobState
) -> None:
    """When a worker is faster than the cancellation, the answer is about the job as it is then."""
    job = await api.submit()
    finish_jobs = api.store.finish_jobs

    async def beaten(outcomes: list[JobOutcome]) -> list[Recorded]:
        monkeypatch.undo()
        await (api.claim(job["id"]) if state is JobState.RUNNING else api.finish(job["id"], result=b"1"))
        return await finish_jobs(outcomes)

    monkeypatch.setattr(api.store, "finish_jobs", beaten)
    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert (reply.status, reply.body["state"]) == (202 if state is JobState.RUNNING else 200, state.value)


async def test_retrying_job_that_was_to_be_cancelled_is(api: Api) -> None:
    """A request to stop that came to nothing does not stand in the way of cancelling the retry."""
    job = await api.submit()
    claimed = await api.claim(job["id"])
    await api.call("POST", f"/v1/jobs/{job['id']}/cancel")
    owner, attempt = claimed.job.owner, claimed.job.attempt
    retry = JobOutcome(JobId(job["id"]), attempt, owner, JobState.RETRYING, retry_in_s=60, error=b'{"message":"x"}')
    await api.store.finish_jobs([retry])

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert (reply.status, reply.body["state"]) == (200, "cancelled")


async def test_job_of_another_tenant_cannot_be_cancelled(api: Api) -> None:
    """It is a 404, and goes on."""
    job = await api.submit()

    reply = await api.call("POST", f"/v1/jobs/{job['id']}/cancel", key=await api.stranger())

    assert reply.problem == (404, "job-not-found")
    assert (await api.call("GET", f"/v1/jobs/{job['id']}")).body["state"] == "queued"


@pytest.mark.parametrize(
    ("wanted", "deliveries"), [([], 1), (["job.cancelled"], 1), (["job.succeeded", "job.failed"], 0)]
)
async def test_ending_makes_a_delivery_only_when_it_is_wanted(api: Api, wanted: list[str], deliveries: int) -> None:
    """``callback_events`` narrows which ends ring back."""
    events = {"callback_events": wanted} if wanted else {}
    job = await api.submit(callback_url=CALLBACK, **events)

    await api.call("POST", f"/v1/jobs/{job['id']}/cancel")

    assert len((await api.call("GET", f"/v1/jobs/{job['id']}/deliveries")).body["items"]) == deliveries


async def test_ending_shows_the_job_as_it_is_then(api: Api) -> None:
    """The event's data is the job in its terminal state, finished when it happened."""
    job = await api.submit()
    detail = await api.store.get_job(DEFAULT_TENANT, JobId(job["id"]))
    assert detail is not None
    now = datetime(2026, 11, 21, 7, tzinfo=UTC)

    outcome = end_job(detail.job, JobState.SUCCEEDED, result=b'{"n":1}', now=now, public_url=PUBLIC_URL)

    assert outcome.event is not None
    event = orjson.loads(outcome.event.body)
    assert (event["type"], event["timestamp"]) == ("job.succeeded", "2026-11-21T07:00:00.000000Z")
    assert (event["data"]["state"], event["data"]["done"]) == ("succeeded", True)
    assert event["data"]["finished_at"] == event["timestamp"]
    assert event["data"]["result"] == {"n": 1}
