"""Commands about jobs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ringback.cli.options import AsJson, Limit, TimeoutS, members
from ringback.cli.texts import read_file, read_stdin

if TYPE_CHECKING:
    from ringback_schemas.http import JobBody

jobs = typer.Typer(no_args_is_help=True, help="Look at jobs, wait for them, cancel them.")

JobId = Annotated[str, typer.Argument(metavar="ID", help="Such as job_01kb3v4r6de0qv8t3kq1x1m9za.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(submit)
    app.add_typer(jobs, name="jobs")


def submit(  # noqa: PLR0913, PLR0917 - an option for each thing that a job may want
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Name of the task.")],  # noqa: A002 - as everywhere
    payload: Annotated[
        str | None, typer.Argument(metavar="[JSON|-|@FILE]", help="What the task gets; - reads standard input.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is done, and show the result.")] = False,
    timeout: TimeoutS = None,
    callback_url: Annotated[str | None, typer.Option("--callback-url", help="Where the signed webhook goes.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Instead of the task's own.")] = None,
    delay: Annotated[float | None, typer.Option("--delay", metavar="SECONDS", min=0, help="Start later.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="To find it by; may be repeated.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Makes two commands one job.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a task to be run."""
    from ringback.cli.asking import Submission, submit_job

    submission = Submission(
        type=type,
        payload=_read_payload(payload),
        options={
            "callback_url": callback_url,
            "queue": queue,
            "delay_s": delay,
            "tags": tag or (),
            "idempotency_key": idempotency_key,
        },
    )
    job = submit_job(submission, wait=wait, timeout_s=timeout)
    _show(job, as_json=as_json, is_waited_for=wait)


@jobs.command("list")
def list_jobs(
    state: Annotated[list[str] | None, typer.Option("--state", help="Only these; may be repeated.")] = None,
    type: Annotated[str | None, typer.Option("--type", help="Only this task.")] = None,  # noqa: A002 - as everywhere
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag.")] = None,
    queue: Annotated[str | None, typer.Option("--queue", help="Only in this queue.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    from ringback.cli.asking import list_jobs as ask
    from ringback.cli.output import ago, show_list
    from ringback_schemas.states import JobState

    states = members(JobState, state, what="state", option="--state")
    found = ask(states=states, type=type, tag=tag, queue=queue, limit=limit)
    show_list(
        found,
        ("ID", "TYPE", "STATE", "ATTEMPT", "QUEUE", "ACCEPTED"),
        lambda job: (job.id, job.type, job.state, f"{job.attempt}/{job.max_attempts}", job.queue, ago(job.created_at)),
        as_json=as_json,
        empty="no jobs",
    )


@jobs.command("get")
def get_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Everything about a job."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.get(job_id)), as_json=as_json, is_waited_for=False)


@jobs.command("result")
def get_result(job_id: JobId) -> None:
    """What the task returned, as JSON."""
    from ringback.cli.connection import call
    from ringback.cli.output import print_value

    print_value(call(lambda client: client.result(job_id)))


@jobs.command("wait")
def wait_for_job(job_id: JobId, timeout: TimeoutS = None, as_json: AsJson = False) -> None:
    """Wait until a job is done; exit code 1 unless it succeeded."""
    from ringback.cli.asking import wait_for

    _show(wait_for(job_id, timeout), as_json=as_json, is_waited_for=True)


@jobs.command("cancel")
def cancel_job(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job that waits; ask the worker of one that runs to stop it."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.cancel(job_id)), as_json=as_json, is_waited_for=False)


def _show(job: "JobBody", *, as_json: bool, is_waited_for: bool) -> None:
    from ringback.cli.exits import Exit
    from ringback.cli.output import show_one
    from ringback.cli.showing import show_job

    show_one(job, show_job, as_json=as_json)
    if is_waited_for and job.state != "succeeded":
        raise typer.Exit(Exit.BAD)


def _read_payload(text: str | None) -> Any:
    """The payload as JSON values: given, from standard input, or from a file."""
    import json

    if text is None:
        return None
    if text == "-":
        text = read_stdin("JSON")
    elif text.startswith("@"):
        text = read_file(text[1:], "JSON")
    try:
        payload = json.loads(text)
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise typer.BadParameter("holds half a surrogate pair, which is no character", param_hint="JSON") from error
    except ValueError as error:
        raise typer.BadParameter(f"not JSON: {error}", param_hint="JSON") from error
    return payload
