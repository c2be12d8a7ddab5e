"""The feed on the command line, and events handed to a receiver on this machine."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringback.cli.exits import Exit
from ringback.client import Client
from ringback.webhooks import new_secret
from tests.answers import Answer
from tests.cli.conftest import Api, Run
from tests.receiver import Receiver
from tests.waiting import eventually


class Listening:
    """``ringback listen`` in a process of its own, from when it is ready on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: list[str] = []
        """What it said on standard error."""

    async def ready(self) -> None:
        """Read what it says until it forwards."""
        assert self._process.stderr is not None
        while not self.told or "forwarding to" not in self.told[-1]:
            line = await asyncio.wait_for(self._process.stderr.readline(), 30)
            assert line, self.told
            self.told.append(line.decode())

    async def line(self) -> str:
        """The next line of its output."""
        assert self._process.stdout is not None
        return (await asyncio.wait_for(self._process.stdout.readline(), 30)).decode()

    async def interrupt(self) -> int | None:
        """Press Ctrl-C; its exit code."""
        self._process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(self._process.communicate(), 30)
        self.told.append(err.decode())
        return self._process.returncode


@asynccontextmanager
async def listening(api: Api, *arguments: str, key: str | None = None) -> AsyncIterator[Listening]:
    """``ringback listen`` with these arguments."""
    known = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback.cli.main", "listen", *arguments, cwd=Path(__file__).parents[2],
        env={**known, "RINGBACK_URL": api.url, "RINGBACK_KEY": key or api.key},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    listener = Listening(process)
    try:
        await listener.ready()
        yield listener
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def done(api: Api, task: str = "demo.echo") -> str:
    """A job that is done; its id."""
    async with Client(api.url, api.key) as client:
        job = await client.submit(task, {}, max_attempts=1)
        return (await client.wait(job.id)).id


def cursor_now(run: Run) -> str:
    """The place of the newest event; there is one."""
    run("submit", "demo.echo", "1", "--wait")
    lines = run("events", "--limit", "10000", "--json").out.splitlines()
    cursor: str = json.loads(lines[-1])["cursor"]
    return cursor


def test_events_are_lines_for_people_and_json_for_programs(run: Run) -> None:
    """Oldest first; the JSON has the event whole."""
    place = cursor_now(run)
    job = json.loads(run("submit", "demo.echo", '{"a": 1}', "--wait", "--json").out)["id"]

    shown = run("events", "--after", place)
    # endpoints of other tests may have something to tell, too
    (line,) = run("events", "--after", place, "--events", "job.*", "--json").out.splitlines()

    event = json.loads(line)
    assert (event["type"], event["job_id"], event["body"]["data"]["result"]) == ("job.succeeded", job, {"a": 1})
    assert "job.succeeded" in shown.out
    assert event["id"] in shown.out


def test_events_stop_at_the_limit_and_say_how_to_go_on(run: Run) -> None:
    """The hint is a command that works."""
    place = cursor_now(run)
    for _ in range(3):
        run("submit", "demo.echo", "1", "--wait")

    first = run("events", "--after", place, "--events", "job.*", "--limit", "2", "--json")
    rest = run(*first.err.split("ringback ")[1].split(), "--events", "job.*", "--json")

    assert [len(outcome.out.splitlines()) for outcome in (first, rest)] == [2, 1]


def test_events_of_some_types_since_a_time(run: Run) -> None:
    """Types are separated by commas or repeated."""
    run("submit", "demo.fail", "{}", "--wait")
    found = run("events", "--since", "1h", "--events", "job.failed,job.expired", "--events", "endpoint.*", "--json")

    types = {json.loads(line)["type"] for line in found.out.splitlines()}
    assert {kind for kind in types if not kind.startswith("endpoint.")} == {"job.failed"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("events", "--since", "yesterday"), "no time"),
        (("events", "--since", "1h", "--after", "x"), "not both"),
        (("events", "--after", "x"), "cursor"),
        (("events", "--events", "*.failed"), "types"),
        (("listen", "--forward-to", "localhost:3000"), "must look like"),
        (("listen",), "forward-to"),
    ],
)
def test_wrong_options_are_told(run: Run, arguments: tuple[str, ...], word: str) -> None:
    """With the code for a wrong command."""
    outcome = run(*arguments)

    assert outcome.code == Exit.USAGE
    assert word in outcome.err


async def test_listen_forwards_signed_webhooks(api: Api) -> None:
    """What a notifier would have sent: same id, same bytes, signed with the secret of callbacks."""
    async with Receiver() as receiver, listening(api, "--forward-to", receiver.url(), "--json") as listener:
        job = await done(api)
        (request,) = await receiver.wait_for(1)
        line = json.loads(await listener.line())
        code = await listener.interrupt()
    async with Client(api.url, api.key) as client:
        secrets = await client.signing_secrets()
        (event,) = [one async for one in client.events(after=None) if one.job_id == job]

    assert (request.verify(secrets).id, request.body) == (event.id, event.body)
    assert request.header("content-type") == "application/json"
    assert (line["id"], line["job_id"], line["status"], line["cursor"]) == (event.id, job, 200, event.cursor)
    assert code == Exit.INTERRUPTED
    assert "Traceback" not in "".join(listener.told)


async def test_listen_forwards_only_what_is_wanted(api: Api) -> None:
    """In order, and each once, whatever the receiver answers."""
    async with Receiver() as receiver:
        receiver.script(Answer(500), Answer(302, {"Location": "/elsewhere"}))
        async with listening(api, "--forward-to", receiver.url(), "--events", "job.failed", "--json") as listener:
            jobs = []
            for _ in range(3):
                await done(api)
                jobs.append(await done(api, "demo.fail"))
            lines = [json.loads(await listener.line()) for _ in range(3)]

        assert [request.target for request in receiver.requests] == ["/hook"] * 3
    assert [(line["job_id"], line["status"]) for line in lines] == list(zip(jobs, (500, 302, 200), strict=True))


async def test_listen_shows_people_each_answer(api: Api) -> None:
    """Also that there was none."""
    async with Receiver() as receiver, listening(api, "--forward-to", receiver.url()) as listener:
        await done(api)
        taken = await listener.line()
        await receiver.refuse()
        await done(api)
        refused = await listener.line()

    assert "job.succeeded" in taken
    assert "200" in taken
    assert "cannot connect" in refused


async def test_listen_makes_a_secret_when_the_key_may_not_read_any(api: Api, run: Run) -> None:
    """And shows it, for the receiver needs it."""
    store = {"RINGBACK_DATABASE_URL": f"sqlite:///{api.folder}/ringback-data/ringback.db"}
    made = await asyncio.to_thread(run, "keys", "create", "dev", "--scope", "jobs:read", "--json", **store)
    key = json.loads(made.out)["key"]

    async with Receiver() as receiver, listening(api, "--forward-to", receiver.url(), key=key) as listener:
        await done(api)
        (request,) = await receiver.wait_for(1)

    secret = next(word for word in "".join(listener.told).split() if word.startswith("whsec_"))
    assert request.verify(secret)


async def test_listen_signs_with_the_secret_in_a_file(api: Api, tmp_path: Path) -> None:
    """So that a receiver need not be told a new one each time."""
    secret = new_secret()
    (tmp_path / "secret").write_text(secret)
    given = ("--secret-file", str(tmp_path / "secret"))

    async with Receiver() as receiver, listening(api, "--forward-to", receiver.url(), *given) as listener:
        await done(api)
        (request,) = await receiver.wait_for(1)

    assert request.verify(secret)
    assert secret not in "".join(listener.told)


async def test_listen_can_begin_in_the_past(api: Api) -> None:
    """What was missed is handed on first."""
    job = await done(api)

    async with Receiver() as receiver, listening(api, "--forward-to", receiver.url(), "--since", "1h"):
        await eventually(
            lambda: any(request.json()["data"].get("id") == job for request in receiver.requests), what="the old event"
        )


async def test_listen_says_that_there_is_no_api(api: Api) -> None:
    """At once: it is no outage when it never was there."""
    async with Receiver() as receiver:
        nowhere = receiver.destination
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback.cli.main", "listen", "--forward-to", "http://127.0.0.1:9/x",
        cwd=api.folder, env={"PATH": os.environ["PATH"], "RINGBACK_URL": nowhere, "RINGBACK_KEY": "rbk_x"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == Exit.UNREACHABLE
    assert b"no answer from" in err
