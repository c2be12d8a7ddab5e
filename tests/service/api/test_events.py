"""The pull feed over HTTP."""

import asyncio
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ringback_backends.contracts.store import Store
from ringback_schemas.events import NewEvent
from ringback_schemas.http import EventFeedBody
from ringback_schemas.ids import DEFAULT_TENANT, new_event_id
from ringback_schemas.states import JobState
from ringback_schemas.tenants import Scope
from tests.service.api.conftest import Api
from tests.waiting import eventually

BODY = (
    b'{"type":"endpoint.test","timestamp":"2026-01-01T00:00:00.000000Z","data":{"n":1.0,"big":123456789012345678901}}'
)


async def told(api: Api, *types: str) -> list[str]:
    """Store an event of each type; their ids."""
    news = [NewEvent(new_event_id(), DEFAULT_TENANT, None, one, BODY) for one in types]
    for new in news:
        await api.store.add_event(new)
    return [new.id for new in news]


async def feed(api: Api, query: str = "", **more: Any) -> dict[str, Any]:
    """What the feed answers."""
    reply = await api.call("GET", f"/v1/events?{query}", **more)
    assert reply.status == 200, reply.body
    body: dict[str, Any] = reply.body
    return body


def ids(answer: dict[str, Any]) -> list[str]:
    """The ids in an answer."""
    return [item["id"] for item in answer["items"]]


async def test_feed_has_the_event_as_the_webhook_has_it(api: Api) -> None:
    """The body of a job's event is what its receiver gets."""
    job = await api.submit(callback_url="http://192.0.2.1/hook")
    await api.finish(job["id"], JobState.SUCCEEDED, result=b'"done"')
    (delivery,) = await api.store.deliveries_of_job(DEFAULT_TENANT, job["id"])

    (item,) = (await feed(api))["items"]

    assert (item["id"], item["type"], item["job_id"]) == (delivery.delivery.event_id, "job.succeeded", job["id"])
    assert item["body"]["data"]["result"] == "done"


async def test_feed_gives_the_very_bytes(api: Api) -> None:
    """As a string they survive any parser, which the numbers in them may not."""
    await told(api, "endpoint.test")

    (item,) = (await feed(api, "body=text"))["items"]

    assert item["body"].encode() == BODY


async def test_feed_embeds_the_very_bytes(api: Api) -> None:
    """The object is not written anew."""
    await told(api, "endpoint.test")

    async with api.client.get("/v1/events", headers={"Authorization": "Bearer rbk_of_the_tests"}) as response:
        raw = await response.read()

    assert b'"body":' + BODY + b"}" in raw


async def test_feed_is_described_by_its_model(api: Api) -> None:
    """In both forms."""
    await told(api, "endpoint.test")

    for query in ("", "body=text"):
        EventFeedBody.model_validate(await feed(api, query))


async def test_feed_goes_on_from_next(api: Api) -> None:
    """Every event once, in order; ``next`` is there to the end and after."""
    stored = await told(api, *["job.succeeded"] * 5)
    found, after, more = list[str](), "", list[bool]()

    for _ in range(4):
        answer = await feed(api, f"limit=2{after and '&after='}{after}")
        found += ids(answer)
        after = answer["next"]
        more.append(answer["has_more"])

    assert found == stored
    assert more == [True, True, False, False]


async def test_feed_of_nothing_has_a_next(api: Api) -> None:
    """Whoever asks before the first event does not miss it."""
    empty = await feed(api)
    stored = await told(api, "job.succeeded")

    assert empty["items"] == []
    assert ids(await feed(api, f"after={empty['next']}")) == stored


async def test_feed_goes_on_behind_any_item(api: Api) -> None:
    """Each has a cursor of its own."""
    stored = await told(api, *["job.succeeded"] * 3)
    items = (await feed(api))["items"]

    assert ids(await feed(api, f"after={items[0]['cursor']}")) == stored[1:]


async def test_feed_from_now_skips_what_is_there(api: Api) -> None:
    """And nothing that comes."""
    await told(api, "job.succeeded")
    now = await feed(api, "after=now")
    later = await told(api, "job.failed")

    assert now["items"] == []
    assert ids(await feed(api, f"after={now['next']}")) == later


async def test_feed_since_a_time(api: Api) -> None:
    """Everything from then on."""
    stored = await told(api, *["job.succeeded"] * 2)
    hour = timedelta(hours=1)
    before, after = [(datetime.now(UTC) + shift).strftime("%Y-%m-%dT%H:%M:%SZ") for shift in (-hour, hour)]

    assert ids(await feed(api, f"since={before}")) == stored
    assert ids(await feed(api, f"since={after}")) == []


async def test_feed_of_some_types(api: Api) -> None:
    """Patterns as in an endpoint's filter; the cursor goes with any of them."""
    stored = await told(api, "job.succeeded", "endpoint.test", "job.failed")

    some = await feed(api, "types=job.*&limit=1")
    rest = await feed(api, f"types=endpoint.test,job.failed&after={some['next']}")

    assert ids(some) == stored[:1]
    assert ids(rest) == stored[1:]


async def test_feed_shows_a_tenant_its_own(api: Api) -> None:
    """Another tenant sees nothing of it, and has no use for its cursors."""
    await told(api, "job.succeeded")
    mine = await feed(api)
    stranger = await api.stranger()

    theirs = await feed(api, key=stranger)
    refused = await api.call("GET", f"/v1/events?after={mine['next']}", key=stranger)

    assert theirs["items"] == []
    assert refused.problem == (422, "invalid-input")
    assert refused.places == ["after"]


@pytest.mark.parametrize(
    "query",
    [
        "after=x",
        "after=%C3%BC",
        "after=" + urlsafe_b64encode(b"12345678job_x").decode(),
        "after=" + urlsafe_b64encode(b"\xff" * 16).decode(),
        "since=yesterday",
        "after=now&since=2026-01-01T00:00:00Z",
        "wait=31",
        "wait=-1",
        "wait=nan",
        "types=*x",
        "limit=0",
        "body=xml",
        "cursor=x",
    ],
)
async def test_feed_refuses_what_is_wrong(api: Api, query: str) -> None:
    """With the name of the parameter."""
    reply = await api.call("GET", f"/v1/events?{query}")

    assert reply.problem == (422, "invalid-input")
    assert reply.places[0] in query


async def test_feed_needs_a_scope(api: Api) -> None:
    """That of reading jobs."""
    writer, reader = await api.key_with(Scope.JOBS_WRITE), await api.key_with(Scope.JOBS_READ)

    assert (await api.call("GET", "/v1/events", key=writer)).problem == (403, "forbidden")
    assert (await api.call("GET", "/v1/events", key=reader)).status == 200


async def test_feed_waits_for_an_event(api: Api) -> None:
    """A request that waits is answered by what comes."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(feed(api, "after=now&wait=20")) for _ in range(3)]
        await eventually(lambda: api.deps.feed.waiting == 3, what="three who wait")
        stored = await told(api, "job.succeeded")

    assert [ids(task.result()) for task in waiting] == [stored] * 3


async def test_feed_gives_up_waiting(api: Api) -> None:
    """With an empty answer and a place to go on from."""
    answer = await feed(api, "wait=0.05")

    assert answer["items"] == []
    assert answer["next"]


async def test_feed_does_not_wait_when_something_is_there(api: Api) -> None:
    """Waiting is for those who have everything."""
    stored = await told(api, "job.succeeded")
    started = time.monotonic()

    assert ids(await feed(api, "wait=30")) == stored
    assert time.monotonic() - started < 20


async def test_feed_stops_waiting_when_the_server_drains(api: Api) -> None:
    """A stop need not wait for those who wait."""
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(feed(api, "wait=30"))
        await eventually(lambda: api.deps.feed.waiting, what="somebody who waits")
        api.deps.readiness.drain()
        async with asyncio.timeout(10):
            answer = await waiting

    assert answer["items"] == []


async def test_feed_forgets_who_has_gone(api: Api) -> None:
    """Nobody looks on for a client that hung up."""
    waiting = asyncio.create_task(feed(api, "wait=30"))
    await eventually(lambda: api.deps.feed.waiting, what="somebody who waits")

    waiting.cancel()

    await eventually(lambda: not api.deps.feed.waiting, what="nobody who waits")


async def test_feed_answers_while_many_wait(api: Api, store: Store) -> None:
    """Those who wait hold nothing of the store."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(feed(api, "after=now&wait=20")) for _ in range(40)]
        await eventually(lambda: api.deps.feed.waiting == 40, what="forty who wait")
        assert await store.ping()
        stored = await told(api, "job.succeeded")

    assert {tuple(ids(task.result())) for task in waiting} == {tuple(stored)}
