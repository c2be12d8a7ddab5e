"""Commands: what they print, for people and for programs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Api, Run
from tests.servers.processes import free_port

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def submit(run: Run, *arguments: str) -> str:
    """Submit and wait; the job's id."""
    job: str = json.loads(run("submit", *arguments, "--wait", "--json").out)["id"]
    return job


def test_version_comes_quickly() -> None:
    """Neither the command line's libraries nor ours are loaded for it."""
    heavy = ("typer", "rich", "pydantic", "aiohttp", "sqlalchemy", "asyncio")
    code = f"""
import sys
from ringback.cli.main import main
try:
    main(["--version"])
finally:
    sys.stderr.write(" ".join(name for name in {heavy!r} if name in sys.modules))
"""
    started = time.perf_counter()

    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert outcome.stdout.startswith("ringback 0.")
    assert outcome.stderr == ""
    assert time.perf_counter() - started < 5


def test_submit_reads_standard_input_and_files(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` and ``@file``, as curl has it."""
    path = tmp_path / "payload.json"
    path.write_text('{"from": "file"}')
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        piped = run("submit", "demo.echo", "-", "--wait", "--json")

    named = run("submit", "demo.echo", f"@{path}", "--wait", "--json")

    assert json.loads(piped.out)["result"] == json.loads(named.out)["result"] == {"from": "file"}


def test_submit_shows_people_the_result(run: Run) -> None:
    """Fields, then the result, indented."""
    outcome = run("submit", "demo.echo", '{"a": [1]}', "--wait", "--tag", "x", "--tag", "y")

    assert "state     succeeded" in outcome.out
    assert "tags      x, y" in outcome.out
    assert '"a": [' in outcome.out


def test_submit_makes_one_job_of_two_commands_with_one_key(run: Run) -> None:
    """A script that is run again does no harm."""
    arguments = ("submit", "demo.echo", "1", "--idempotency-key", "once", "--json")

    assert json.loads(run(*arguments).out)["id"] == json.loads(run(*arguments).out)["id"]


def test_jobs_list_is_a_table_for_people_and_json_for_programs(run: Run) -> None:
    """The JSON is the API's own."""
    job = submit(run, "demo.echo", "1", "--tag", "listed")

    table = run("jobs", "list", "--tag", "listed", "--state", "succeeded")
    document = json.loads(run("jobs", "list", "--tag", "listed", "--json").out)

    assert job in table.out
    assert "TYPE" in table.out
    assert [item["id"] for item in document["items"]] == [job]


def test_jobs_list_says_when_there_are_none(run: Run) -> None:
    """On standard error, so that a program reads an empty list."""
    outcome = run("jobs", "list", "--tag", "nobody-has-this")

    assert (outcome.out, outcome.err) == ("", "no jobs\n")


def test_jobs_list_stops_at_the_limit(run: Run) -> None:
    """However many there are."""
    for _ in range(3):
        submit(run, "demo.echo", "1", "--tag", "many")

    assert len(json.loads(run("jobs", "list", "--tag", "many", "--limit", "2", "--json").out)["items"]) == 2


def test_jobs_result_prints_the_result_alone(run: Run) -> None:
    """For pipes."""
    job = submit(run, "demo.echo", '{"a": 1}')

    assert json.loads(run("jobs", "result", job).out) == {"a": 1}


def test_jobs_cancel_stops_a_job(run: Run) -> None:
    """One that is yet to come ends at once."""
    job = json.loads(run("submit", "demo.echo", "1", "--delay", "1000", "--json").out)["id"]

    assert "cancelled" in run("jobs", "cancel", job).out


def test_deliveries_can_be_found_looked_at_and_sent_again(run: Run) -> None:
    """From the job to its delivery, to its attempts, to another try."""
    job = submit(run, "demo.echo", "1", "--callback-url", "https://receiver.invalid/hook")
    (delivery,) = json.loads(run("deliveries", "list", "--job", job, "--json").out)["items"]

    shown = run("deliveries", "get", delivery["id"])
    listed = run("deliveries", "list")
    again = run("deliveries", "redeliver", delivery["id"])

    assert "https://receiver.invalid/hook" in shown.out
    assert delivery["id"] in listed.out
    assert again.code == 0


def test_keys_can_be_made_listed_and_revoked_without_an_api(run: Run, api: Api) -> None:
    """Straight on the store: the first key needs no other. Nothing shows a key again."""
    store = {"RINGBACK_DATABASE_URL": f"sqlite:///{api.folder}/ringback-data/ringback.db"}
    made = json.loads(run("keys", "create", "ci", "--scope", "jobs:read", "--json", **store).out)

    allowed = run("jobs", "list", RINGBACK_KEY=made["key"])
    refused = run("submit", "demo.echo", "1", RINGBACK_KEY=made["key"])
    listed = run("keys", "list", **store)
    revoked = run("keys", "revoke", made["id"], **store)
    unknown = run("keys", "revoke", "key_01kb3v4r6de0qv8t3kq1x1m9za", **store)

    assert (allowed.code, refused.code, revoked.code, unknown.code) == (0, 4, 0, 3)
    assert made["id"] in listed.out
    assert made["key"] not in listed.out


def test_keys_show_the_key_of_embedded_mode(run: Run, api: Api) -> None:
    """In the folder of ``ringback serve`` nothing needs to be set."""
    store = {"RINGBACK_DATABASE_URL": f"sqlite:///{api.folder}/ringback-data/ringback.db"}

    shown = run("keys", "show", **store)
    used = run("jobs", "list", RINGBACK_KEY="", **store)

    assert (shown.out.strip(), used.code) == (api.key, 0)


def test_keys_encryption_makes_a_key_that_settings_take(run: Run) -> None:
    """Ready to be put into RINGBACK_ENCRYPTION_KEYS."""
    key = run("keys", "encryption").out.strip()
    given = {"RINGBACK_ENCRYPTION_KEYS": f'["{key}"]', "RINGBACK_BOOTSTRAP_API_KEY": f"rbk_{'x' * 28}"}

    assert run("keys", "show", **given).out == f"{given['RINGBACK_BOOTSTRAP_API_KEY']}\n"


def test_migrate_tells_the_schema(run: Run, tmp_path: Path) -> None:
    """Twice is as good as once."""
    store = {"RINGBACK_DATABASE_URL": f"sqlite:///{tmp_path}/new/ringback.db"}

    assert run("migrate", **store).out == run("migrate", **store).out != ""


def test_serve_prints_a_curl_that_works(tmp_path: Path) -> None:
    """What is pasted into a shell is answered with 202; the key is not in the output, which may be a log file."""
    port = free_port()
    command = [sys.executable, "-m", "ringback.cli.main", "serve", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while "Stop" not in "".join(lines):
                lines.append(process.stdout.readline())
            text = "".join(lines)
            curl = text.split("Try   ")[1].split("  Stop")[0]
            answer = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, check=False)
        finally:
            process.terminate()

    assert "202 Accepted" in answer.stdout
    assert (tmp_path / "ringback-data" / "admin.key").read_text().strip() not in text


def commands() -> list[str]:
    """Every command with its group."""
    from ringback.cli.app import app  # noqa: PLC0415 - the command line loads its libraries late, and so do we

    own = [one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        own += [f"{group.name} {one.name}" for one in group.typer_instance.registered_commands]
    return own


@pytest.mark.parametrize("command", commands())
def test_cli_page_has_every_command(command: str) -> None:
    """With its own line."""
    assert f"`ringback {command}" in PAGE.read_text()
