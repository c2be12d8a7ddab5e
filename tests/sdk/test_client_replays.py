"""Replays through the client, against an API that answers as the test says."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from ringback.client import ApiUnreachable, Client, StillReplaying
from ringback_schemas.states import DeliveryState
from tests.answers import Answer
from tests.receiver import Receiver

REPLAY = "rpl_01kb3v4r6de0qv8t3kq1x1m9za"


def a_replay(state: str = "running", **more: Any) -> Answer:
    """An answer with a replay."""
    wanted = dict.fromkeys(("endpoint_id", "url", "destination", "created_after", "created_before"))
    body = {
        "id": REPLAY,
        "filter": {"states": ["exhausted"], "events": [], **wanted},
        "dry_run": False,
        "state": state,
        "done": state in {"done", "cancelled"},
        "counted": True,
        "matched": 3,
        "redelivered": 1,
        "skipped": {"changed": 0, "endpoint_disabled": 0, "endpoint_gone": 0},
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": None,
        "finished_at": None,
        "links": {"self": "http://x/", "cancel": "http://x/cancel"},
        **more,
    }
    return Answer(200, {}, orjson.dumps(body))


@pytest.fixture
async def api() -> AsyncIterator[Receiver]:
    """What the client talks to."""
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def client(api: Receiver) -> AsyncIterator[Client]:
    """The client."""
    async with Client(api.destination, "rbk_test", give_up_after_s=1) as opened:
        yield opened


async def test_start_sends_the_filter(client: Client, api: Receiver) -> None:
    """Only what was given, times in UTC."""
    api.script(a_replay())
    after = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    await client.replays.start(dry_run=True, states=[DeliveryState.DELIVERED], events=["job.*"], created_after=after)

    (request,) = api.requests
    assert (request.method, request.target) == ("POST", "/v1/replays")
    assert request.json() == {
        "filter": {"states": ["delivered"], "events": ["job.*"], "created_after": "2026-01-01T00:00:00Z"},
        "dry_run": True,
    }


async def test_start_is_not_repeated_once_it_may_have_been_seen(client: Client, api: Receiver) -> None:
    """A second one would send everything twice."""
    api.always(Answer(503))

    with pytest.raises(ApiUnreachable):
        await client.replays.start()

    assert len(api.requests) == 1


async def test_start_refuses_a_time_without_offset(client: Client, api: Receiver) -> None:
    """Nobody could know when it is."""
    with pytest.raises(ValueError, match="aware"):
        await client.replays.start(created_after=datetime(2026, 1, 1))  # noqa: DTZ001 - the point

    assert api.requests == []


async def test_wait_returns_when_the_replay_is_done(client: Client, api: Receiver) -> None:
    """And tells each answer on the way."""
    api.script(a_replay("pending"), a_replay(), a_replay("done", redelivered=3))
    seen: list[str] = []

    replay = await client.replays.wait(REPLAY, on_update=lambda one: seen.append(one.state))

    assert (replay.done, replay.redelivered, seen) == (True, 3, ["pending", "running", "done"])


async def test_wait_gives_up_when_told_to(client: Client, api: Receiver) -> None:
    """The replay goes on."""
    api.always(a_replay())

    with pytest.raises(StillReplaying, match="is running after 0 s") as error:
        await client.replays.wait(REPLAY, timeout_s=0)

    assert error.value.replay.id == REPLAY
    assert datetime.now(UTC) > error.value.replay.created_at


async def test_cancel_asks_for_it(client: Client, api: Receiver) -> None:
    """The answer is the replay as it is then."""
    api.script(a_replay("cancelled"))

    replay = await client.replays.cancel(REPLAY)

    assert (api.requests[0].method, api.requests[0].target) == ("POST", f"/v1/replays/{REPLAY}/cancel")
    assert replay.state == "cancelled"
