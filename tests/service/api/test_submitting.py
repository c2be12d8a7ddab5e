"""POST /v1/jobs: what makes a job, and what the 202 says."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ringback_backends.contracts.broker import Queue
from ringback_schemas.http import JobBody
from ringback_schemas.ids import DEFAULT_TENANT, JobId
from tests.service.api.conftest import PUBLIC_URL, Api


async def test_submission_answers_202_with_the_job(api: Api) -> None:
    """The body is the job resource, in the shape that the client parses."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo", "payload": {"a": 1}, "tags": ["x"]})

    job = JobBody.model_validate(reply.body)
    assert reply.status == 202
    assert (job.type, job.state.value, job.done, job.tags) == ("test.echo", "queued", False, ["x"])


async def test_submission_answers_with_absolute_locations(api: Api) -> None:
    """Both headers for the monitor carry the job's URL under the public URL, whatever the Host header says."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo"}, headers={"Host": "evil.example"})

    url = f"{PUBLIC_URL}/v1/jobs/{reply.body['id']}"
    assert reply.headers["Location"] == reply.headers["Operation-Location"] == url
    assert reply.body["links"]["self"] == url
    assert (reply.headers["Retry-After"], reply.headers["Cache-Control"]) == ("1", "no-store")


async def test_submission_is_committed_before_the_answer(api: Api) -> None:
    """Who has a 202 finds the job in the store."""
    job = await api.submit(payload={"deep": [1, 2.5, None, "ü", 12345678901234567890123]})

    detail = await api.store.get_job(DEFAULT_TENANT, JobId(job["id"]))

    assert detail is not None
    assert detail.payload == '{"deep":[1,2.5,null,"ü",12345678901234567890123]}'.encode()


async def test_submission_is_announced(api: Api) -> None:
    """A worker hears of the job through its queue."""
    subscription = api.deps.announcer._broker.subscribe((Queue.work("orders"),))

    job = await api.submit(type="test.order", payload={"rows": []})

    async with asyncio.timeout(5):
        (received,) = await subscription.receive()
    assert received.envelope.ids == (job["id"],)


async def test_submission_takes_defaults_from_the_task(api: Api) -> None:
    """Queue, time-out and attempts are the task's unless the request names them."""
    job = await api.submit(type="test.order", payload={"rows": []})

    assert (job["queue"], job["timeout_s"], job["max_attempts"]) == ("orders", 7, 2)


async def test_submission_keeps_what_was_asked_for(api: Api) -> None:
    """Each field of the request is in the job."""
    asked: dict[str, Any] = {
        "queue": "fast.lane_1-a",
        "timeout_s": 2.5,
        "max_attempts": 9,
        "callback_url": "http://192.0.2.7:99/hook?a=b",
        "callback_events": ["job.failed"],
        "run_at": "2031-01-02T03:04:05.000000Z",
        "expires_at": "2031-01-03T03:04:05.000000Z",
        "tags": ["a", "ü"],
    }
    asked["run_at"] = _in(days=2)
    asked["expires_at"] = _in(days=3)

    job = await api.submit(**asked)

    assert {name: job[name] for name in asked} == asked
    assert job["state"] == "scheduled"


async def test_submission_with_a_delay_is_scheduled(api: Api) -> None:
    """``delay_s`` counts from the store's clock, and ``Retry-After`` knows of it."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo", "delay_s": 30})

    created, run_at = (datetime.fromisoformat(reply.body[name]) for name in ("created_at", "run_at"))
    assert run_at - created == timedelta(seconds=30)
    assert 28 <= int(reply.headers["Retry-After"]) <= 30


async def test_submission_with_a_past_start_runs_at_once(api: Api) -> None:
    """A ``run_at`` that has passed is no error: clocks differ."""
    job = await api.submit(run_at=_in(days=-1))

    assert job["state"] == "queued"


async def test_submission_acknowledges_respond_async(api: Api) -> None:
    """RFC 7240: what was preferred and is done is said."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.echo"}, headers={"Prefer": "respond-async, wait=5"})

    assert reply.headers["Preference-Applied"] == "respond-async"


async def test_submission_without_payload_is_null_where_the_task_takes_it(api: Api) -> None:
    """A task that takes null gets null, another one an object without members."""
    job = await api.submit()

    detail = await api.store.get_job(DEFAULT_TENANT, JobId(job["id"]))

    assert detail is not None
    assert detail.payload == b"null"


async def test_submission_without_payload_names_what_is_missing(api: Api) -> None:
    """A task that wants members says which."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.order"})

    assert reply.problem == (422, "invalid-input")
    assert reply.places == ["/payload/rows"]


@pytest.mark.parametrize(
    ("request_body", "places"),
    [
        ({"payload": {"rows": [1, "two", 3]}}, ["/payload/rows/1"]),
        ({"payload": {"rows": "x", "note": 5}}, ["/payload/rows", "/payload/note"]),
        ({"payload": [1]}, ["/payload"]),
        ({"payload": {"rows": []}, "tags": ["ok", ""]}, ["/tags/1"]),
        ({"payload": {"rows": []}, "tags": ["a\x00b"]}, ["/tags/0"]),
        ({"payload": {"rows": []}, "tags": ["a"] * 2}, ["/tags"]),
        ({"payload": {"rows": []}, "tags": [str(n) for n in range(17)]}, ["/tags"]),
        ({"payload": {"rows": []}, "timeout_s": "60"}, ["/timeout_s"]),
        ({"payload": {"rows": []}, "timeout_s": 0}, ["/timeout_s"]),
        ({"payload": {"rows": []}, "max_attempts": 101}, ["/max_attempts"]),
        ({"payload": {"rows": []}, "max_attempts": True}, ["/max_attempts"]),
        ({"payload": {"rows": []}, "queue": "Up/per"}, ["/queue"]),
        ({"payload": {"rows": []}, "run_at": "tomorrow"}, ["/run_at"]),
        ({"payload": {"rows": []}, "run_at": "2026-11-21T07:00:00"}, ["/run_at"]),
        ({"payload": {"rows": []}, "run_at": 1_800_000_000}, ["/run_at"]),
        ({"payload": {"rows": []}, "run_at": "0001-01-01T00:00:00+14:00"}, ["/run_at"]),
        ({"payload": {"rows": []}, "run_at": "9999-01-01T00:00:00Z"}, ["/run_at"]),
        ({"payload": {"rows": []}, "delay_s": -1}, ["/delay_s"]),
        ({"payload": {"rows": []}, "delay_s": 1e9}, ["/delay_s"]),
        ({"payload": {"rows": []}, "delay_s": 5, "run_at": "2026-11-21T07:00:00Z"}, ["/delay_s"]),
        ({"payload": {"rows": []}, "expires_at": "2020-01-01T00:00:00Z"}, ["/expires_at"]),
        ({"payload": {"rows": []}, "callback_events": ["job.failed"]}, ["/callback_events"]),
        ({"callback_url": "http://192.0.2.1/", "callback_events": ["job.started"]}, ["/callback_events/0"]),
        ({"payload": {"rows": []}, "nonsense": 1}, ["/nonsense"]),
        ({"payload": {"rows": []}, "a/b~c": 1}, ["/a~1b~0c"]),
        ({"payload": {"rows": []}, "type": 7}, ["/type"]),
    ],
)  # fmt: skip
async def test_submission_points_at_what_is_wrong(api: Api, request_body: dict[str, Any], places: list[str]) -> None:
    """A wrong value is a 422 with a JSON Pointer to it, and nothing is stored."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.order", **request_body})

    assert reply.problem == (422, "invalid-input")
    assert reply.places == places
    assert (await api.call("GET", "/v1/jobs")).body["items"] == []


async def test_submission_of_a_job_that_expires_before_it_starts_is_refused(api: Api) -> None:
    """``expires_at`` must come after the start."""
    body = {"type": "test.echo", "delay_s": 100, "expires_at": _in(seconds=50)}

    reply = await api.call("POST", "/v1/jobs", json=body)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/expires_at"])


async def test_submission_of_an_unknown_type_names_those_spelt_alike(api: Api) -> None:
    """A typing error is told as one."""
    reply = await api.call("POST", "/v1/jobs", json={"type": "test.eco"})

    assert (reply.problem, reply.places) == ((422, "unknown-kind"), ["/type"])
    assert "did you mean test.echo" in reply.body["detail"]


def _in(**delta: float) -> str:
    moment = (datetime.now(UTC) + timedelta(**delta)).replace(microsecond=0)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
