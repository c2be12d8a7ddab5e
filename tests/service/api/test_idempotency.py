"""Idempotency-Key: requests that are repeated make one job."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.service.api.conftest import Api, Reply
from tests.waiting import eventually


async def _post(api: Api, key: str, **request: object) -> Reply:
    return await api.call("POST", "/v1/jobs", json={"type": "test.echo", **request}, headers={"Idempotency-Key": key})


async def test_repeated_request_gets_the_same_job(api: Api) -> None:
    """Status, job and locations are those of the first answer; a header says that it is a replay."""
    first = await _post(api, "order-77", payload=1)
    second = await _post(api, "order-77", payload=1)

    assert (first.status, second.status) == (202, 202)
    assert first.body["id"] == second.body["id"]
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"


async def test_repeated_request_shows_the_job_as_it_is_now(api: Api) -> None:
    """A replay after the end carries the result."""
    first = await _post(api, "k")
    await api.finish(first.body["id"], result=b"42")

    second = await _post(api, "k")

    assert (second.body["state"], second.body["result"]) == ("succeeded", 42)


async def test_key_with_another_body_is_a_422(api: Api) -> None:
    """A key stands for one request; nothing is stored for the other."""
    first = await _post(api, "k", payload=1)
    second = await _post(api, "k", payload=2)

    assert second.problem == (422, "idempotency-mismatch")
    assert first.body["id"] in second.body["detail"]
    assert len((await api.call("GET", "/v1/jobs")).body["items"]) == 1


async def test_key_ignores_order_and_space_of_the_body(api: Api) -> None:
    """The same request spelt otherwise is the same request."""
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first = await api.call("POST", "/v1/jobs", data=b'{"type":"test.echo","payload":{"a":1,"b":2}}', headers=headers)
    second = await api.call("POST", "/v1/jobs", data=b'{"payload":{"b":2, "a":1}, "type":"test.echo"}', headers=headers)

    assert first.body["id"] == second.body["id"]


async def test_quoted_and_bare_key_are_one(api: Api) -> None:
    """The draft wants a structured-field string, most clients send it bare."""
    first = await _post(api, '"a\\"b"')
    second = await _post(api, 'a"b')

    assert first.body["id"] == second.body["id"]


async def test_key_belongs_to_its_tenant(api: Api) -> None:
    """Two tenants may use the same key."""
    mine = await _post(api, "k")
    theirs = await api.call(
        "POST", "/v1/jobs", json={"type": "test.echo"}, headers={"Idempotency-Key": "k"}, key=await api.stranger()
    )

    assert theirs.status == 202
    assert theirs.body["id"] != mine.body["id"]


async def test_refused_request_does_not_use_up_the_key(api: Api) -> None:
    """A 4xx is not remembered: the mended request may use the same key."""
    refused = await _post(api, "k", tags=[""])
    mended = await _post(api, "k", tags=["a"])

    assert (refused.status, mended.status) == (422, 202)


async def test_fifty_equal_requests_at_once_make_one_job(api: Api) -> None:
    """However they fall into batches, one is accepted and the others are replays."""
    replies = await asyncio.gather(*[_post(api, "k", payload=[1]) for _ in range(50)])

    assert {reply.status for reply in replies} == {202}
    assert len({reply.body["id"] for reply in replies}) == 1
    assert sum("Idempotency-Replayed" in reply.headers for reply in replies) == 49
    assert len((await api.call("GET", "/v1/jobs")).body["items"]) == 1


@pytest.mark.parametrize("key", ["", " ", "ü", "a b", "x" * 256, '""', "tab\there"])
async def test_key_that_is_none_is_a_400(api: Api, key: str) -> None:
    """Rather a refusal than a key that protects nobody."""
    reply = await _post(api, key)

    assert (reply.problem, reply.places) == ((400, "malformed-request"), ["Idempotency-Key"])


async def test_key_of_greatest_length_is_taken(api: Api) -> None:
    """255 characters are allowed."""
    assert (await _post(api, "x" * 255)).status == 202


async def test_repeated_request_is_a_replay_when_its_expiry_has_passed(api: Api) -> None:
    """A client that asks again too late to be accepted is told of its job, not that the times are wrong."""
    expires_at = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    first = await _post(api, "k", expires_at=expires_at)

    async def again() -> Reply | None:
        late = await _post(api, "k", expires_at=expires_at)
        return late if datetime.now(UTC).isoformat() > expires_at else None

    second = await eventually(again)

    assert second is not None
    assert (second.status, second.headers.get("Idempotency-Replayed")) == (202, "true"), second.body
    assert second.body["id"] == first.body["id"]


async def test_late_request_with_a_key_of_another_is_refused(api: Api) -> None:
    """Only the same request is a replay: another one is judged by itself."""
    await _post(api, "k", payload=1)
    late = await _post(api, "k", payload=2, expires_at="2020-01-01T00:00:00Z")

    assert (late.status, late.places) == (422, ["/expires_at"])
