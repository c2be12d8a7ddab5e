"""Commands about replays."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from ringback.cli.exits import Exit
from tests.answers import Answer
from tests.cli.conftest import Run
from tests.receiver import Receiver
from tests.waiting import eventually

UNKNOWN = "rpl_01kb3v4r6de0qv8t3kq1x1m9za"
NOTHING = ("--url", "https://nobody.example/")


async def gone(run: Run, receiver: Receiver, count: int) -> None:
    """So many webhooks to this receiver that ended badly: it said 410."""
    receiver.always(Answer(410))
    for _ in range(count):
        await asyncio.to_thread(run, "submit", "demo.echo", "--callback-url", receiver.url())
    await receiver.wait_for(count)
    count_exhausted = partial(run, "replays", "start", "--dry-run", "--url", receiver.url(), "--json")

    async def all_recorded() -> bool:
        return bool(json.loads((await asyncio.to_thread(count_exhausted)).out)["matched"] == count)

    await eventually(all_recorded, what="the attempts to be recorded")


async def test_replays_start_sends_again_what_failed(run: Run) -> None:
    """Each with the id and the bytes it had."""
    async with Receiver() as receiver:
        await gone(run, receiver, 3)
        receiver.always(Answer(200))
        outcome = await asyncio.to_thread(run, "replays", "start", "--url", receiver.url(), "--wait", "--json")
        first, again = (await receiver.wait_for(6))[:3], receiver.requests[3:]

    body = json.loads(outcome.out)
    assert (outcome.code, body["state"], body["matched"], body["redelivered"]) == (Exit.DONE, "done", 3, 3)
    assert {(one.webhook_id, one.body) for one in again} == {(one.webhook_id, one.body) for one in first}


async def test_replays_dry_run_waits_for_the_count_and_sends_nothing(run: Run) -> None:
    """It can be read by people, too."""
    async with Receiver() as receiver:
        await gone(run, receiver, 2)
        outcome = await asyncio.to_thread(run, "replays", "start", "--destination", receiver.url(), "--dry-run")
        requests = len(receiver.requests)

    assert (outcome.code, requests) == (Exit.DONE, 2)
    assert "done (dry run: nothing is sent)" in outcome.out
    assert "matched      2\n" in outcome.out


def test_replays_start_takes_every_option(run: Run) -> None:
    """A span is one before now."""
    given = ("--state", "delivered", "--state", "retrying", "--event", "job.*", "--before", "2030-01-01T00:00:00+01:00")

    made = json.loads(run("replays", "start", *given, *NOTHING, "--after", "6h", "--json").out)

    wanted = made["filter"]
    assert (wanted["states"], wanted["events"], wanted["url"]) == (["delivered", "retrying"], ["job.*"], NOTHING[1])
    assert wanted["created_before"] == "2029-12-31T23:00:00Z"
    since = datetime.now(UTC) - datetime.fromisoformat(wanted["created_after"])
    assert timedelta(hours=6) <= since < timedelta(hours=6, minutes=5)


def test_replays_are_listed_newest_first(run: Run) -> None:
    """As JSON for programs, as a table for people."""
    older, newer = (json.loads(run("replays", "start", *NOTHING, "--wait", "--json").out)["id"] for _ in range(2))

    items = json.loads(run("replays", "list", "--limit", "2", "--json").out)["items"]

    assert [item["id"] for item in items] == [newer, older]
    assert newer in run("replays", "list").out


def test_replays_show_and_cancel(run: Run) -> None:
    """One that is done stays so."""
    replay = json.loads(run("replays", "start", *NOTHING, "--json").out)["id"]

    shown = run("replays", "show", replay, "--wait").out
    cancelled = json.loads(run("replays", "cancel", replay, "--json").out)

    assert replay in shown
    assert cancelled["state"] == "done"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("start", "--state", "pending"), Exit.USAGE, "exhausted can"),
        (("start", "--after", "yesterday"), Exit.USAGE, "no time such as"),
        (("start", "--after", "2026-01-01T00:00:00"), Exit.USAGE, "no offset"),
        (("start", "--endpoint", "end_01kb3v4r6de0qv8t3kq1x1m9za"), Exit.USAGE, "/filter/endpoint_id"),
        (("start", "--after", "1h", "--before", "2h"), Exit.USAGE, "/filter/created_before"),
        (("show", UNKNOWN), Exit.NOT_FOUND, UNKNOWN),
        (("cancel", UNKNOWN), Exit.NOT_FOUND, UNKNOWN),
        (("show", "nonsense"), Exit.USAGE, "not a replay id"),
    ],
)
def test_exit_codes_of_replays(run: Run, arguments: tuple[str, ...], code: Exit, told: str) -> None:
    """As of all commands; the message says what is wrong, and where."""
    outcome = run("replays", *arguments)

    assert outcome.code == code
    assert told in outcome.err
    assert "Traceback" not in outcome.err
