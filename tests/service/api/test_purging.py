"""Deleting jobs, and what is left of them."""

import pytest

from ringback_schemas.states import JobState
from tests.service.api.conftest import Api

CALLBACK = "http://192.0.2.1/hook"


async def done(api: Api, **request: object) -> str:
    """A job that has just ended."""
    job = await api.submit(**request)
    await api.finish(job["id"], result=b'"a result"')
    return str(job["id"])


async def test_finished_job_is_purged(api: Api) -> None:
    """204 without a body; with its webhooks, sent or not."""
    job_id = await done(api, callback_url=CALLBACK)
    (delivery,) = (await api.call("GET", f"/v1/jobs/{job_id}/deliveries")).body["items"]

    reply = await api.call("DELETE", f"/v1/jobs/{job_id}")

    assert (reply.status, reply.body) == (204, "")
    assert (await api.call("GET", f"/v1/deliveries/{delivery['id']}")).problem == (404, "delivery-not-found")
    assert (await api.call("GET", "/v1/jobs")).body["items"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", ""), ("GET", "/result"), ("GET", "/deliveries")),
        *(("POST", "/cancel"), ("DELETE", "")),
    ],
)
async def test_purged_job_is_gone(api: Api, method: str, path: str) -> None:
    """410 wherever it is named, and in words all that is left of it."""
    job_id = await done(api)
    await api.call("DELETE", f"/v1/jobs/{job_id}")

    reply = await api.call(method, f"/v1/jobs/{job_id}{path}")

    assert reply.problem == (410, "job-purged")
    assert f"job {job_id} (test.echo) ended as succeeded at 2" in reply.body["detail"]


async def test_unfinished_job_is_not_purged(api: Api) -> None:
    """409, with the way to end it first; nothing has changed."""
    job = await api.submit()

    reply = await api.call("DELETE", f"/v1/jobs/{job['id']}")

    assert reply.problem == (409, "job-not-terminal")
    assert f"/v1/jobs/{job['id']}/cancel" in reply.body["detail"]
    assert (await api.call("GET", f"/v1/jobs/{job['id']}")).body["state"] == JobState.QUEUED


async def test_job_of_another_tenant_is_not_purged(api: Api) -> None:
    """Nor does anybody else learn that one was."""
    job_id, purged = await done(api), await done(api)
    await api.call("DELETE", f"/v1/jobs/{purged}")
    stranger = await api.stranger()

    replies = [await api.call("DELETE", f"/v1/jobs/{one}", key=stranger) for one in (job_id, purged)]

    assert [reply.problem for reply in replies] == [(404, "job-not-found")] * 2
    assert (await api.call("GET", f"/v1/jobs/{job_id}")).status == 200


async def test_key_of_a_purged_job_makes_no_second_one(api: Api) -> None:
    """The request was carried out; that its job is gone does not undo it."""
    headers = {"Idempotency-Key": "once"}
    first = await api.call("POST", "/v1/jobs", json={"type": "test.echo"}, headers=headers)
    await api.finish(first.body["id"])
    await api.call("DELETE", f"/v1/jobs/{first.body['id']}")

    again = await api.call("POST", "/v1/jobs", json={"type": "test.echo"}, headers=headers)

    assert again.problem == (410, "job-purged")
    assert (await api.call("GET", "/v1/jobs")).body["items"] == []
