"""The client, against an API that answers as the test says."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from ringback.client import ApiUnreachable, Client, ClientError, ProblemError, StillRunning
from ringback_schemas.documents import job_document
from ringback_schemas.ids import DEFAULT_TENANT, InvalidId, new_job_id
from ringback_schemas.jobs import JobRecord
from ringback_schemas.states import JobState
from tests.answers import Answer
from tests.receiver import Receiver

JOB = new_job_id()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_job(state: JobState = JobState.QUEUED, **more: Any) -> Answer:
    """An answer with a job."""
    record = JobRecord(
        id=new_job_id(),
        tenant_id=DEFAULT_TENANT,
        type="demo.echo",
        queue="default",
        priority=0,
        state=state,
        attempt=0,
        uncharged=0,
        losses=0,
        max_attempts=3,
        timeout_s=60,
        created_at=NOW,
        run_at=NOW,
        expires_at=None,
        started_at=None,
        finished_at=None,
        owner=None,
        is_cancel_requested=False,
        callback_url=None,
        callback_events=(),
        tags=(),
    )
    return Answer(200, {}, orjson.dumps({**job_document(record, "http://elsewhere.example"), **more}))


def a_problem(status: int, code: str, **headers: str) -> Answer:
    """An answer that says no."""
    error = {"pointer": "/payload/seconds", "code": "x", "detail": "must be a number"}
    body = {
        "type": f"/problems/{code}",
        "code": code,
        "title": "No",
        "status": status,
        "detail": "no",
        "errors": [error],
        "request_id": "req_1",
    }
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, orjson.dumps(body))


def client_of(receiver: Receiver, give_up_after_s: float = 10.0) -> Client:
    """A client for that API."""
    return Client(receiver.destination, "rbk_test", give_up_after_s=give_up_after_s)


async def test_submit_sends_what_was_given_and_nothing_else() -> None:
    """Absent options are absent in the body."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_job())
        await client.submit("demo.echo", {"at": NOW}, tags=["a"], delay_s=2)
        (request,) = receiver.requests

    assert request.json() == {
        "type": "demo.echo",
        "payload": {"at": "2026-01-01T00:00:00Z"},
        "tags": ["a"],
        "delay_s": 2,
    }
    assert request.header("authorization") == "Bearer rbk_test"


async def test_submit_repeats_with_the_same_key_when_the_api_is_away() -> None:
    """Two tries are one job: the idempotency key is made once per call."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_problem(503, "storage-unavailable"), Answer(502), a_job())
        await client.submit("demo.echo")
        keys = {request.header("idempotency-key") for request in receiver.requests}

    assert (len(receiver.requests), len(keys)) == (3, 1)


async def test_submit_makes_a_new_key_for_each_call() -> None:
    """Two calls are two jobs."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_job())
        await client.submit("demo.echo")
        await client.submit("demo.echo")

        assert len({request.header("idempotency-key") for request in receiver.requests}) == 2


async def test_submit_waits_as_long_as_the_api_asks() -> None:
    """``Retry-After`` is a least pause."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_problem(503, "storage-unavailable", Retry_After="1"), a_job())
        await client.submit("demo.echo")
        first, second = receiver.requests

    assert second.at - first.at >= 1.0


async def test_submit_refuses_times_without_an_offset() -> None:
    """Nobody could know when that is."""
    async with Receiver() as receiver, client_of(receiver) as client:
        with pytest.raises(ValueError, match="aware"):
            await client.submit("demo.echo", run_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


async def test_client_raises_problems_with_code_and_pointer() -> None:
    """A program can tell what is wrong, and where."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_problem(422, "invalid-input"))
        with pytest.raises(ProblemError, match="/payload/seconds: must be a number") as refusal:
            await client.submit("demo.sleep", {"seconds": "x"})

    error = refusal.value
    assert (error.status, error.code, error.pointer, error.request_id) == (
        422,
        "invalid-input",
        "/payload/seconds",
        "req_1",
    )
    assert len(receiver.requests) == 1


async def test_client_gives_up_when_nobody_answers() -> None:
    """After a bounded time, with a sentence that names the address."""
    async with Receiver() as receiver:
        client = client_of(receiver, give_up_after_s=0.3)
    async with client:
        with pytest.raises(ApiUnreachable, match="no answer from http://127"):
            await client.get(JOB)


async def test_client_gives_up_with_the_problem_that_stays() -> None:
    """The last word of the API is what comes out."""
    async with Receiver() as receiver, client_of(receiver, give_up_after_s=0.3) as client:
        receiver.always(a_problem(503, "storage-unavailable"))
        with pytest.raises(ProblemError) as refusal:
            await client.get(JOB)

    assert refusal.value.code == "storage-unavailable"


async def test_client_tells_when_something_else_answers() -> None:
    """A page of some other server is no job and no problem of ours."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(Answer(404, {"Content-Type": "text/html"}, b"<html>"))
        with pytest.raises(ProblemError, match="is this the address of a Ringback API"):
            await client.get(JOB)


@pytest.mark.parametrize("text", ["../keys", "job_x", "", f"dlv_{JOB[4:]}"])
async def test_client_refuses_what_can_be_no_id(text: str) -> None:
    """An id from elsewhere cannot lead to another path, and a wrong kind is told without asking."""
    async with Receiver() as receiver, client_of(receiver) as client:
        with pytest.raises(InvalidId, match="not a job id"):
            await client.get(text)

        assert receiver.requests == []


async def test_wait_returns_the_job_when_it_is_done() -> None:
    """And tells each answer on the way."""
    states: list[str] = []
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_job(), a_job(JobState.RUNNING), a_job(JobState.FAILED))
        job = await client.wait(JOB, on_update=lambda one: states.append(one.state))

    assert (job.state, states) == ("failed", ["queued", "running", "failed"])


async def test_wait_gives_up_in_time() -> None:
    """The job comes with the error, as it was last seen."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_job(JobState.RUNNING))
        with pytest.raises(StillRunning) as waited:
            await client.wait(JOB, timeout_s=0.1)

    assert waited.value.job.state == "running"


async def test_jobs_go_from_page_to_page() -> None:
    """By the parameters of ``next`` alone: the API may know itself by another name."""
    page = orjson.loads(a_job().body)
    first = {"items": [page], "next": "http://elsewhere.example/v1/jobs?type=a&cursor=c1"}
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(
            Answer(200, {}, orjson.dumps(first)), Answer(200, {}, orjson.dumps({"items": [page], "next": None}))
        )
        found = [job async for job in client.jobs(type="a", state=[JobState.QUEUED])]
        targets = [request.target for request in receiver.requests]

    assert len(found) == 2
    assert targets == ["/v1/jobs?type=a&state=queued&limit=100", "/v1/jobs?type=a&cursor=c1"]


async def test_client_takes_answers_that_grew() -> None:
    """A newer API may say more."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_job(news="x"))

        assert (await client.get(JOB)).type == "demo.echo"


async def test_client_wants_to_be_entered() -> None:
    """Forgetting it is told in words."""
    with pytest.raises(ClientError, match="async with"):
        await Client("http://127.0.0.1:1", "k").get(JOB)


def test_client_prints_masked() -> None:
    """The key is in no log and no traceback."""
    assert "rbk_secret" not in repr(Client("https://x.example", "rbk_secret"))
