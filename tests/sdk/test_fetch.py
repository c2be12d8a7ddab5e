"""http.fetch and the simple tasks."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from ringback.demo import echo, fail, fetch, sleep
from ringback.demo.fetch import Fetched, FetchRequest
from ringback.demo.simple import FailRequest, Recovered, SleepRequest, Slept
from ringback.egress import EgressPolicy
from ringback.job import Job, Reporter, Resources
from ringback.outcomes import Fail, Retry
from tests.answers import Answer, Flood, Hang, Redirect
from tests.receiver import Receiver

LOOPBACK = Resources(EgressPolicy([ip_network("127.0.0.0/8")]))


def a_job(*, attempt: int = 1, resources: Resources | None = LOOPBACK, reporter: Reporter | None = None) -> Job:
    """What a task sees."""
    return Job(
        id="job_x",
        type="x",
        attempt=attempt,
        max_attempts=3,
        created_at=datetime.now(UTC),
        resources=resources,
        reporter=reporter,
    )


async def get(receiver: Receiver, **options: Any) -> Fetched:
    """What the task gives for a request to the receiver."""
    found = await fetch(a_job(), FetchRequest(url=receiver.url(), **options))
    assert isinstance(found, Fetched)
    return found


async def test_fetch_gives_status_headers_and_text() -> None:
    """UTF-8 comes as text."""
    async with Receiver() as receiver:
        receiver.always(Answer(200, {"X-Thing": "1"}, "größe".encode()))
        found = await get(receiver)

    assert (found.status, found.headers["X-Thing"], found.body, found.body_base64) == (200, "1", "größe", None)


async def test_fetch_gives_other_bytes_as_base64() -> None:
    """Nothing is lost of what is no text."""
    async with Receiver() as receiver:
        receiver.always(Answer(200, {}, b"\xff\xfe\x00"))
        found = await get(receiver)

    assert (found.body, found.body_base64) == (None, "//4A")


async def test_fetch_sends_json() -> None:
    """With its content type, and the headers that were asked for."""
    async with Receiver() as receiver:
        await get(receiver, method="POST", json={"a": 1}, headers={"X-Key": "k"})
        (request,) = receiver.requests

    assert (request.method, request.json()) == ("POST", {"a": 1})
    assert (request.header("content-type"), request.header("x-key")) == ("application/json", "k")


async def test_fetch_keeps_no_more_than_the_cap() -> None:
    """A flood is cut off, and a character that the cap cuts in two is left out."""
    async with Receiver() as receiver:
        receiver.script(Answer(200, {}, "äää".encode()))
        cut = await get(receiver, max_bytes=3)
        receiver.always(Flood())
        flood = await get(receiver, max_bytes=1_000)

    assert (cut.body, cut.is_truncated) == ("ä", True)
    assert (flood.size, flood.is_truncated) == (1_000, True)


async def test_fetch_does_not_follow_redirects() -> None:
    """A redirect is an answer: whoever asked may look where it leads."""
    async with Receiver() as receiver:
        receiver.always(Redirect(location="http://169.254.169.254/"))
        found = await get(receiver)

        assert (found.status, len(receiver.requests)) == (302, 1)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_fetch_tries_again_when_the_server_is_in_trouble(status: int) -> None:
    """And when it asks for patience."""
    async with Receiver() as receiver:
        receiver.always(Answer(status))
        with pytest.raises(Retry, match=str(status)):
            await get(receiver)


async def test_fetch_gives_other_refusals_as_results() -> None:
    """404 may be just what was asked about."""
    async with Receiver() as receiver:
        receiver.always(Answer(404))

        assert (await get(receiver)).status == 404


async def test_fetch_tries_again_when_nothing_comes_in_time() -> None:
    """The deadline covers the whole exchange."""
    async with Receiver() as receiver:
        receiver.always(Hang())
        with pytest.raises(Retry, match=r"no whole answer within 0\.2 s"):
            await get(receiver, timeout_s=0.2)


async def test_fetch_tries_again_when_nobody_listens() -> None:
    """A server that restarts refuses connections for a moment."""
    async with Receiver() as receiver:
        url = receiver.url()

    with pytest.raises(Retry, match="the request failed"):
        await fetch(a_job(), FetchRequest(url=url))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/", "http://169.254.169.254/", "ftp://x.example", "http://a@b.c/"]
)
async def test_fetch_reaches_only_what_the_guard_allows(url: str) -> None:
    """The same rules as for webhooks; trying again would not help."""
    with pytest.raises(Fail, match="refused"):
        await fetch(a_job(resources=None), FetchRequest(url=url))


@pytest.mark.parametrize(
    "payload",
    [
        {"headers": {"Host": "x"}},
        {"headers": {"bad name": "x"}},
        {"headers": {"X": "a\r\nb"}},
        {"body": "x", "json": 1},
        {"timeout_s": 1_000},
        {"methd": "GET"},
    ],
)
def test_fetch_refuses_what_cannot_be_sent(payload: dict[str, Any]) -> None:
    """Before the job is accepted."""
    with pytest.raises(ValidationError):
        FetchRequest.model_validate({"url": "https://x.example", **payload})


async def test_echo_gives_the_payload_back() -> None:
    """Whatever it is."""
    assert await echo(a_job(), {"a": [1, None]}) == {"a": [1, None]}


async def test_sleep_tells_how_far_it_is() -> None:
    """Progress in steps."""
    notes: list[float | None] = []

    slept = await sleep(a_job(reporter=lambda fraction, _: notes.append(fraction)), SleepRequest(seconds=0.01))

    assert (slept, notes) == (Slept(seconds=0.01), [0.0])


async def test_fail_fails_so_often_and_then_not() -> None:
    """Without a number it always fails."""
    twice = FailRequest(times=2, message="no")

    with pytest.raises(ValueError, match="no"):
        await fail(a_job(attempt=2), twice)
    with pytest.raises(ValueError, match="asked to fail"):
        await fail(a_job(attempt=9), FailRequest())

    assert await fail(a_job(attempt=3), twice) == Recovered(attempt=3)
