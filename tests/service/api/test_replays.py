"""Replays over the API."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ringback_backends.replayer import Replayer
from ringback_schemas.deliveries import DeliveryAttempt, DeliveryOutcome, Timing, Verdict
from ringback_schemas.http import ReplayBody
from ringback_schemas.ids import DEFAULT_TENANT, new_instance_id
from ringback_schemas.replays import MAX_OPEN_REPLAYS
from ringback_schemas.states import DeliveryState
from ringback_schemas.tenants import Scope
from tests.service.api.conftest import PUBLIC_URL, Api

URL = "https://192.0.2.1/hook"
UNKNOWN = "rpl_01kb3v4r6de0qv8t3kq1x1m9za"


async def exhausted(api: Api, count: int) -> None:
    """So many deliveries that failed for good, as after an outage of the receiver."""
    for _ in range(count):
        job = await api.submit(callback_url=URL)
        await api.finish(job["id"], result=b"1")
    owner = new_instance_id()
    claimed = await api.store.claim_due_deliveries(owner, count)
    outcomes = [
        DeliveryOutcome(
            one.delivery.id,
            owner,
            DeliveryAttempt(1, datetime.now(UTC), Timing(0.1), Verdict.SERVER_ERROR, "503: given up", 503),
            DeliveryState.EXHAUSTED,
        )
        for one in claimed
    ]
    assert await api.store.record_attempts(outcomes) == [True] * count


async def made(api: Api, **request: Any) -> dict[str, Any]:
    """A replay that must be accepted."""
    reply = await api.call("POST", "/v1/replays", json=request)
    assert reply.status == 202, reply.body
    body: dict[str, Any] = reply.body
    return body


async def carried_out(api: Api, replay: dict[str, Any]) -> ReplayBody:
    """The replay once a replayer has been through it."""
    replayer = Replayer(api.store, api.deps.announcer)
    while await replayer.round():
        pass
    reply = await api.call("GET", f"/v1/replays/{replay['id']}")
    return ReplayBody.model_validate(reply.body)


async def test_replay_is_made_and_shown(api: Api) -> None:
    """With nothing said, it means what is exhausted."""
    reply = await api.call("POST", "/v1/replays", json={})

    shown = ReplayBody.model_validate(reply.body)
    assert (reply.status, reply.headers["Location"]) == (202, f"{PUBLIC_URL}/v1/replays/{shown.id}")
    assert (shown.state, shown.done, shown.dry_run, shown.filter.states) == ("pending", False, False, ["exhausted"])
    assert (await api.call("GET", f"/v1/replays/{shown.id}")).body == reply.body


async def test_replay_takes_a_filter_of_everything(api: Api) -> None:
    """And shows it as the store understood it: a destination with its port, times in UTC."""
    endpoint = (await api.call("POST", "/v1/endpoints", json={"url": URL})).body
    wanted = {
        "states": ["delivered", "retrying"],
        "events": ["job.*"],
        "endpoint_id": endpoint["id"],
        "url": URL,
        "destination": "https://192.0.2.1/whatever",
        "created_after": "2026-01-01T01:00:00+01:00",
        "created_before": "2026-02-01T00:00:00Z",
    }

    body = await made(api, filter=wanted, dry_run=True)

    expected = {**wanted, "destination": "https://192.0.2.1:443", "created_after": "2026-01-01T00:00:00Z"}
    assert body["filter"] == expected
    assert body["dry_run"] is True


async def test_dry_run_tells_what_a_real_one_redelivers(api: Api) -> None:
    """The same count, and the dry one sends nothing."""
    await exhausted(api, 3)

    dry = await carried_out(api, await made(api, dry_run=True))
    waiting = (await api.call("GET", "/v1/deliveries?state=retrying")).body["items"]
    real = await carried_out(api, await made(api))

    assert (dry.state, dry.done, dry.counted, dry.matched, dry.redelivered) == ("done", True, True, 3, 0)
    assert waiting == []
    assert (real.state, real.matched, real.redelivered) == ("done", 3, 3)
    assert len((await api.call("GET", "/v1/deliveries?state=retrying")).body["items"]) == 3


async def test_replay_can_be_cancelled_twice(api: Api) -> None:
    """Both answers are the same, and nothing is sent."""
    await exhausted(api, 1)
    replay = await made(api)

    replies = [await api.call("POST", f"/v1/replays/{replay['id']}/cancel") for _ in range(2)]

    assert [(reply.status, reply.body["state"]) for reply in replies] == [(200, "cancelled")] * 2
    assert (await carried_out(api, replay)).redelivered == 0


@pytest.mark.parametrize(
    ("request_body", "pointer"),
    [
        ({"filter": {"states": ["pending"]}}, "/filter/states/0"),
        ({"filter": {"states": []}}, "/filter/states"),
        ({"filter": {"events": ["job.*", "No Event"]}}, "/filter/events/1"),
        ({"filter": {"endpoint_id": "end_01kb3v4r6de0qv8t3kq1x1m9za"}}, "/filter/endpoint_id"),
        ({"filter": {"endpoint_id": "nonsense"}}, "/filter/endpoint_id"),
        ({"filter": {"destination": "no url"}}, "/filter/destination"),
        ({"filter": {"url": ""}}, "/filter/url"),
        ({"filter": {"url": "http://192.0.2.1/\0"}}, "/filter/url"),
        ({"filter": {"created_after": 5}}, "/filter/created_after"),
        (
            {"filter": {"created_after": "2026-02-01T00:00:00Z", "created_before": "2026-01-01T00:00:00Z"}},
            "/filter/created_before",
        ),
        ({"filter": {"state": ["exhausted"]}}, "/filter/state"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"filter": None}, "/filter"),
    ],
)
async def test_replay_that_makes_no_sense_is_refused(api: Api, request_body: dict[str, Any], pointer: str) -> None:
    """The answer says where it is wrong, and nothing is stored."""
    reply = await api.call("POST", "/v1/replays", json=request_body)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), [pointer])
    assert (await api.call("GET", "/v1/replays")).body["items"] == []


async def test_replay_for_an_endpoint_of_another_tenant_is_refused(api: Api) -> None:
    """As for one that does not exist."""
    endpoint = (await api.call("POST", "/v1/endpoints", json={"url": URL})).body
    body = {"filter": {"endpoint_id": endpoint["id"]}}

    reply = await api.call("POST", "/v1/replays", key=await api.stranger(), json=body)

    assert (reply.problem, reply.places) == ((422, "invalid-input"), ["/filter/endpoint_id"])


async def test_replay_of_another_tenant_is_unknown(api: Api) -> None:
    """To look at, to stop and in lists; it looks just as one that does not exist."""
    own, stranger = await made(api), await api.stranger()

    for path in (f"/v1/replays/{own['id']}", f"/v1/replays/{UNKNOWN}", "/v1/replays/nonsense"):
        assert (await api.call("GET", path, key=stranger)).problem == (404, "replay-not-found")
        assert (await api.call("POST", f"{path}/cancel", key=stranger)).problem == (404, "replay-not-found")
    assert (await api.call("GET", "/v1/replays", key=stranger)).body["items"] == []
    assert (await api.call("GET", f"/v1/replays/{own['id']}")).body["state"] == "pending"


async def test_replays_of_others_send_nothing_of_mine(api: Api) -> None:
    """Whoever asks gets their own deliveries."""
    await exhausted(api, 2)
    reply = await api.call("POST", "/v1/replays", key=await api.stranger(), json={})

    replayer = Replayer(api.store, api.deps.announcer)
    while await replayer.round():
        pass

    assert reply.status == 202
    assert len((await api.call("GET", "/v1/deliveries?state=exhausted")).body["items"]) == 2


async def test_replays_are_listed_in_pages(api: Api) -> None:
    """Newest first, with a link to the next page."""
    replays = [await made(api) for _ in range(3)]

    first = await api.call("GET", "/v1/replays?limit=2")
    second = await api.call("GET", first.body["next"].removeprefix(PUBLIC_URL))

    assert [item["id"] for item in [*first.body["items"], *second.body["items"]]] == [
        replay["id"] for replay in reversed(replays)
    ]
    assert second.body["next"] is None


async def test_replays_need_the_scopes_of_deliveries(api: Api) -> None:
    """One to look, another one to start and stop."""
    replay = await made(api)
    reader = await api.key_with(Scope.DELIVERIES_READ)
    writer = await api.key_with(Scope.DELIVERIES_WRITE)

    assert (await api.call("GET", f"/v1/replays/{replay['id']}", key=reader)).status == 200
    assert (await api.call("POST", "/v1/replays", key=reader, json={})).problem == (403, "forbidden")
    assert (await api.call("POST", f"/v1/replays/{replay['id']}/cancel", key=reader)).problem == (403, "forbidden")
    assert (await api.call("GET", "/v1/replays", key=writer)).problem == (403, "forbidden")
    assert (await api.call("POST", f"/v1/replays/{replay['id']}/cancel", key=writer)).status == 200


async def test_one_replay_too_many_is_refused(api: Api) -> None:
    """Until one of the others is done or cancelled."""
    replays = [await made(api) for _ in range(MAX_OPEN_REPLAYS)]

    refused = await api.call("POST", "/v1/replays", json={})
    await api.call("POST", f"/v1/replays/{replays[0]['id']}/cancel")

    assert refused.problem == (409, "too-many-replays")
    await made(api)


async def test_replays_are_on_record(api: Api) -> None:
    """Who started which, with what filter, and who stopped it."""
    replay = await made(api, filter={"events": ["job.failed"]}, dry_run=True)
    await api.call("POST", f"/v1/replays/{replay['id']}/cancel")

    stopped, started = await api.store.list_audit(DEFAULT_TENANT, None, 10)

    assert (stopped.action, stopped.target) == ("replay.cancelled", replay["id"])
    assert (started.action, started.target) == ("replay.created", replay["id"])
    assert started.detail == {"filter": '{"events":["job.failed"]}', "dry_run": "true"}
