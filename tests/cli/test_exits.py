"""Exit codes: each means what docs/cli.md says."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from ringback.cli.exits import Exit
from tests.cli.conftest import Api, Run
from tests.servers.processes import free_port
from tests.waiting import eventually

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
UNKNOWN_JOB = "job_01kb3v4r6de0qv8t3kq1x1m9za"


def test_exit_codes_on_the_page_are_those_of_the_code() -> None:
    """Scripts rely on them."""
    told = {int(code) for code in re.findall(r"^\| `(\d+)` \|", PAGE.read_text(), re.MULTILINE)}

    assert told == {code.value for code in Exit}


def test_exit_is_0_when_a_job_succeeded(run: Run) -> None:
    """Submitted, waited for, shown."""
    outcome = run("submit", "demo.echo", '{"a": 1}', "--wait", "--json")

    assert outcome.code == Exit.DONE
    assert json.loads(outcome.out)["result"] == {"a": 1}


def test_exit_is_0_when_it_is_already_so(run: Run) -> None:
    """Cancelling what is done is as good as cancelling."""
    job = json.loads(run("submit", "demo.echo", "1", "--wait", "--json").out)["id"]

    assert run("jobs", "cancel", job).code == Exit.DONE


def test_exit_is_1_when_the_job_failed(run: Run) -> None:
    """``ringback submit … --wait && next`` does not go on."""
    job = run("submit", "demo.fail", "{}", "--json")
    again = run("jobs", "wait", json.loads(job.out)["id"])

    assert (job.code, again.code) == (Exit.DONE, Exit.BAD)
    assert "asked to fail" in again.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("submit", "demo.echo", "{bad"), "not JSON"),
        (("submit", "demo.echo", "@/nosuch/file"), "No such file"),
        (("submit", "demo.sleep", '{"seconds": "x"}'), "/payload/seconds"),
        (("submit", "nosuch.task"), "nosuch.task"),
        (("jobs", "list", "--state", "sleepy"), "sleepy"),
        (("jobs", "get", "nonsense"), "not a job id"),
        (("jobs", "get"), "Missing argument"),
        (("nosuch",), "nosuch"),
    ],
)
def test_exit_is_2_when_the_command_is_wrong(run: Run, arguments: tuple[str, ...], told: str) -> None:
    """And the message says what is."""
    outcome = run(*arguments)

    assert outcome.code == Exit.USAGE
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_exit_is_3_when_there_is_no_such_thing(run: Run) -> None:
    """Another tenant's id looks just the same."""
    outcome = run("jobs", "get", UNKNOWN_JOB)

    assert outcome.code == Exit.NOT_FOUND
    assert "There is no such job" in outcome.err


def test_exit_is_3_when_the_job_was_purged(run: Run, api: Api) -> None:
    """It was there once; the command was right all the same."""
    job = json.loads(run("submit", "demo.echo", "1", "--wait", "--json").out)["id"]
    bearer = {"Authorization": f"Bearer {api.key}"}
    urlopen(Request(f"{api.url}/v1/jobs/{job}", method="DELETE", headers=bearer)).close()  # noqa: S310 - http, ours

    outcome = run("jobs", "get", job)

    assert outcome.code == Exit.NOT_FOUND
    assert "purged" in outcome.err


def test_exit_is_4_when_the_key_may_not(run: Run) -> None:
    """An unknown key, and one without the scope."""
    outcome = run("jobs", "list", RINGBACK_KEY="rbk_unknown")

    assert outcome.code == Exit.NOT_ALLOWED
    assert "ringback keys show" in outcome.err


def test_exit_is_5_when_nobody_answers(run: Run) -> None:
    """Trying again may help."""
    outcome = run("jobs", "get", UNKNOWN_JOB, RINGBACK_URL=f"http://127.0.0.1:{free_port()}")

    assert outcome.code == Exit.UNREACHABLE
    assert "is `ringback serve` running?" in outcome.err


def test_exit_is_6_when_it_waited_long_enough(run: Run) -> None:
    """The job goes on, and the message says how to wait again."""
    outcome = run("submit", "demo.sleep", '{"seconds": 3}', "--wait", "--timeout", "0.1")

    assert outcome.code == Exit.WAITED
    assert "ringback jobs wait job_" in outcome.err


def test_exit_is_7_when_the_state_refuses(run: Run) -> None:
    """A failed job will never have a result."""
    job = json.loads(run("submit", "demo.fail", "{}", "--json").out)["id"]
    run("jobs", "wait", job)

    assert run("jobs", "result", job).code == Exit.CONFLICT


@pytest.mark.parametrize(
    ("environment", "arguments", "told"),
    [
        ({"RINGBACK_PORT": "abc"}, ("serve",), "RINGBACK_PORT: "),
        ({"RINGBACK_PROT": "1"}, ("serve",), "did you mean RINGBACK_PORT?"),
        ({"RINGBACK_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, ("api",), "RINGBACK_BROKER_URL"),
        ({}, ("serve", "--tasks", "nosuch.tasks"), "there is no module 'nosuch'"),
        ({"RINGBACK_KEY": ""}, ("jobs", "list"), "RINGBACK_KEY is not set"),
        ({"RINGBACK_URL": "localhost:8080"}, ("jobs", "list"), "RINGBACK_URL must look like http://"),
    ],
)
def test_exit_is_78_when_the_configuration_is_wrong(
    run: Run, environment: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    """One sentence, no traceback; a supervisor must not restart it."""
    outcome = run(*arguments, **environment)

    assert outcome.code == Exit.CONFIGURATION
    assert told in outcome.err
    assert "Traceback" not in outcome.err


@asynccontextmanager
async def ringback(api: Api, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command in a process of its own, which ends with the test."""
    known = {"PATH": os.environ["PATH"], "RINGBACK_URL": api.url, "RINGBACK_KEY": api.key}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringback.cli.main", *arguments,
        env={**known, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def test_exit_is_130_when_interrupted(api: Api, run: Run) -> None:
    """Ctrl-C while waiting; nothing happens to the job."""
    job = await asyncio.to_thread(run, "submit", "demo.sleep", '{"seconds": 60}', "--json")
    job_id = json.loads(job.out)["id"]
    async with ringback(api, "jobs", "wait", job_id) as process:
        await eventually(lambda: _polls(process), what="the command waits")

        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    await asyncio.to_thread(run, "jobs", "cancel", job_id)

    assert process.returncode == Exit.INTERRUPTED, err
    assert b"Traceback" not in err


def _polls(process: asyncio.subprocess.Process) -> bool:
    """Whether it has a connection open: then its imports are done, and it waits."""
    with suppress(FileNotFoundError):  # files come and go while we look
        return any("socket" in str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir())
    return False


async def test_exit_is_8_when_drained_uncleanly(api: Api, tmp_path: Path, run: Run) -> None:
    """A job did not end in the time to drain: it runs again at the next start."""
    port = free_port()
    settings = {"RINGBACK_DATABASE_URL": f"sqlite:///{tmp_path}/data/ringback.db", "RINGBACK_DRAIN_S": "0.1"}
    async with ringback(api, "serve", "--port", str(port), **settings) as process:
        assert process.stdout is not None
        while b"Stop" not in await process.stdout.readline():
            pass
        key = (tmp_path / "data/admin.key").read_text().strip()
        there = {"RINGBACK_URL": f"http://127.0.0.1:{port}", "RINGBACK_KEY": key}
        job = await asyncio.to_thread(run, "submit", "demo.sleep", '{"seconds": 60}', "--json", **there)
        job_id = json.loads(job.out)["id"]

        def shown() -> str:
            return run("jobs", "get", job_id, "--json", **there).out

        async def is_running() -> bool:
            return '"state":"running"' in await asyncio.to_thread(shown)

        await eventually(is_running, what="the job runs")

        process.send_signal(signal.SIGTERM)
        await process.communicate()

    assert process.returncode == Exit.UNCLEAN
