"""The client's feed: against an API that answers as the test says, and against a real one that goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from ringback.client import ApiUnreachable, Client, ClientError, Event, ProblemError
from ringback.embedded import Embedded
from ringback.settings import Settings, load_settings
from tests.answers import Answer
from tests.receiver import Receiver
from tests.servers.processes import free_port
from tests.waiting import eventually

BODY = '{"type":"endpoint.test","timestamp":"2026-01-01T00:00:00Z","data":{"n":1.00,"big":123456789012345678901}}'


def a_page(*ids: str, after: str = "next", has_more: bool = False) -> Answer:
    """An answer with these events."""
    common = {"type": "endpoint.test", "job_id": None, "created_at": "2026-01-01T00:00:00Z", "body": BODY}
    items = [{"id": one, "cursor": f"behind-{one}", **common} for one in ids]
    return Answer(200, {}, orjson.dumps({"items": items, "next": after, "has_more": has_more}))


def a_problem(status: int, code: str) -> Answer:
    """An answer that says no."""
    body = {"type": f"/problems/{code}", "code": code, "title": "No", "status": status, "detail": "no", "errors": []}
    return Answer(status, {}, orjson.dumps({**body, "request_id": "req_1"}))


def client_of(receiver: Receiver) -> Client:
    """A client for that API that gives up soon."""
    return Client(receiver.destination, "rbk_test", give_up_after_s=0.05)


async def taken(events: AsyncIterator[Event], count: int) -> list[str]:
    """The ids of the first events."""
    found: list[str] = []
    async for event in events:
        found.append(event.id)
        if len(found) == count:
            break
    return found


def targets(receiver: Receiver) -> list[str]:
    """Where the requests went on, and whether they waited."""
    return [request.target.partition("?")[2] for request in receiver.requests]


async def test_events_go_from_page_to_page() -> None:
    """Until there is no more."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_page("a", "b", after="c1", has_more=True), a_page("c"))
        found = [event.id async for event in client.events(types=["job.*", "endpoint.test"])]

    assert found == ["a", "b", "c"]
    assert targets(receiver) == [
        "types=job.*&types=endpoint.test&limit=100&body=text&wait=0",
        "after=c1&types=job.*&types=endpoint.test&limit=100&body=text&wait=0",
    ]


async def test_events_carry_the_very_bytes() -> None:
    """Which no parser and no writer of JSON in between has touched."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_page("a"))
        (event,) = [event async for event in client.events()]

    assert event.body == BODY.encode()
    assert (event.cursor, event.json()["data"]["n"]) == ("behind-a", 1)


async def test_events_since_a_time() -> None:
    """It must say which offset it has."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.always(a_page())
        assert [event async for event in client.events(since=datetime.fromisoformat("2026-01-01T01:00:00+01:00"))] == []
        with pytest.raises(ValueError, match="aware"):
            _ = [event async for event in client.events(since=datetime(2026, 1, 1))]  # noqa: DTZ001 - the mistake

    assert targets(receiver)[0].startswith("since=2026-01-01T00:00:00%2B00:00&")


async def test_follow_waits_where_it_is() -> None:
    """Only the first request does not wait: until it is answered nobody knows where "now" is."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_page(after="c1"), a_page(after="c1"), a_page("a", after="c2"))
        async with aclosing(client.events(after="now", follow=True)) as events:
            assert await taken(events, 1) == ["a"]

    assert [target.replace("&limit=100&body=text", "") for target in targets(receiver)[:3]] == [
        "after=now&wait=0",
        "after=c1&wait=20",
        "after=c1&wait=20",
    ]


async def test_follow_waits_out_an_outage() -> None:
    """It goes on where it was, and tells of the outage once the client gives up, and of its end."""
    told: list[ClientError | None] = []
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_page("a", after="c1"), a_problem(503, "storage-unavailable"), a_page("b", after="c2"))
        async with aclosing(client.events(follow=True, on_connection=told.append)) as events:
            assert await taken(events, 2) == ["a", "b"]

    assert [type(one) for one in told] == [type(None), ProblemError, type(None)]
    assert targets(receiver)[1] == targets(receiver)[2]


async def test_follow_needs_a_first_answer() -> None:
    """Who follows an API that is not there hears of it at once."""
    async with Receiver() as receiver:
        client = client_of(receiver)
    async with client:
        with pytest.raises(ApiUnreachable):
            await taken(client.events(follow=True), 1)


async def test_follow_ends_with_what_does_not_pass() -> None:
    """A key that was revoked comes never back."""
    async with Receiver() as receiver, client_of(receiver) as client:
        receiver.script(a_page("a"), a_problem(401, "unauthenticated"))
        with pytest.raises(ProblemError, match="no"):
            await taken(client.events(follow=True), 2)


def settings_in(folder: Path, port: int) -> Settings:
    """A service that can be started again at the same address."""
    return load_settings(
        database_url=f"sqlite:///{folder}/data/ringback.db",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        callback_allow=["127.0.0.0/8"],
        retry_schedule=[0.05],
    )


async def done(client: Client, count: int, **more: Any) -> list[str]:
    """The ids of so many jobs that are done, one after the other."""
    return [(await client.wait((await client.submit("demo.echo", n, **more)).id)).id for n in range(count)]


async def test_feed_has_what_a_receiver_missed(tmp_path: Path) -> None:
    """After its outage every event is there, once and in order (BB-83), with the id and the bytes of its webhook."""
    async with (
        Receiver() as receiver,
        Embedded(settings_in(tmp_path, 0)) as service,
        Client(service.url, service.api_key) as client,
    ):
        receiver.always(Answer(500))
        jobs = await done(client, 5, callback_url=receiver.url())
        sent = {request.webhook_id: request.body for request in await receiver.wait_for(5)}
        # deliveries that nobody took are told of, too
        events = [event async for event in client.events() if event.type.startswith("job.")]

    assert [event.job_id for event in events] == jobs
    assert len({event.id for event in events}) == 5
    assert {event.id: event.body for event in events if event.id in sent} == sent


async def test_cursor_holds_over_restarts(tmp_path: Path) -> None:
    """A service that comes back has the same events behind the same place."""
    async with Embedded(settings_in(tmp_path, 0)) as service, Client(service.url, service.api_key) as client:
        await done(client, 3)
        before = [event async for event in client.events()]

    async with Embedded(settings_in(tmp_path, 0)) as service, Client(service.url, service.api_key) as client:
        (later,) = await done(client, 1)
        after = [event async for event in client.events(after=before[0].cursor)]

    assert [event.id for event in after[:2]] == [event.id for event in before[1:]]
    assert [event.job_id for event in after[2:]] == [later]


async def test_follow_neither_skips_nor_repeats_over_a_restart(tmp_path: Path) -> None:
    """Somebody who follows through an outage of the API gets each event once."""
    settings, found, told = settings_in(tmp_path, free_port()), list[str | None](), list[ClientError | None]()

    async def follow(url: str, key: str) -> None:
        async with Client(url, key, give_up_after_s=0.1) as client:
            async for event in client.events(follow=True, on_connection=told.append):
                found.append(event.job_id)

    async with Embedded(settings) as service, Client(service.url, service.api_key) as client:
        following = asyncio.create_task(follow(service.url, service.api_key))
        jobs = await done(client, 2)
        await eventually(lambda: found == jobs)
    await eventually(lambda: told[-1] is not None, what="the outage")
    async with Embedded(settings) as service, Client(service.url, service.api_key) as client:
        jobs += await done(client, 2)
        await eventually(lambda: len(found) >= 4, within_s=30)
        following.cancel()

    assert found == jobs
    assert told[-1] is None
