"""Commands about replays."""

from typing import TYPE_CHECKING, Annotated

import typer

from ringback.cli.options import AsJson, Limit, TimeoutS
from ringback.cli.times import moment_in

if TYPE_CHECKING:
    from ringback.client.replays import ReplayFilter
    from ringback_schemas.http import ReplayBody

replays = typer.Typer(no_args_is_help=True, help="Send many webhooks again, as after an outage of a receiver.")

ReplayId = Annotated[str, typer.Argument(metavar="ID", help="Such as rpl_01kb3v4r6de0qv8t3kq1x1m9za.")]
State = Annotated[
    list[str] | None,
    typer.Option("--state", help="exhausted (unless given), delivered or retrying; may be repeated."),
]
Event = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="TYPE", help="Only these, such as job.failed or job.*; may be repeated."),
]
Endpoint = Annotated[str | None, typer.Option("--endpoint", metavar="ID", help="Only to this endpoint.")]
Url = Annotated[str | None, typer.Option("--url", help="Only to this very URL.")]
Destination = Annotated[
    str | None, typer.Option("--destination", metavar="URL", help="Only to this scheme, host and port.")
]
After = Annotated[
    str | None,
    typer.Option("--after", metavar="TIME", help="Made after: 2026-11-21T07:00:00Z, or 6h for six hours ago."),
]
Before = Annotated[str | None, typer.Option("--before", metavar="TIME", help="Made before; as --after.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count, and wait for the count.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until all is due; what is due is sent by and by.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(replays, name="replays")


@replays.command("start")
def start(  # noqa: PLR0913, PLR0917 - an option for each part of the filter
    state: State = None,
    event: Event = None,
    endpoint: Endpoint = None,
    url: Url = None,
    destination: Destination = None,
    after: After = None,
    before: Before = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: TimeoutS = None,
    as_json: AsJson = False,
) -> None:
    """Send every webhook again that meets all of these; those that are exhausted when nothing is said."""
    from ringback.cli.replaying import start_replay
    from ringback_schemas.states import DeliveryState

    wanted: ReplayFilter = {}
    if state:
        wanted["states"] = [DeliveryState(one) for one in _known(state)]
    if event:
        wanted["events"] = event
    if endpoint is not None:
        wanted["endpoint_id"] = endpoint
    if url is not None:
        wanted["url"] = url
    if destination is not None:
        wanted["destination"] = destination
    if after is not None:
        wanted["created_after"] = moment_in(after, "--after")
    if before is not None:
        wanted["created_before"] = moment_in(before, "--before")
    _show(start_replay(wanted, dry_run=dry_run, wait=wait or dry_run, timeout_s=timeout), as_json=as_json)


@replays.command("show")
def show(replay_id: ReplayId, wait: Wait = False, timeout: TimeoutS = None, as_json: AsJson = False) -> None:
    """How far it has come, and what came of it."""
    from ringback.cli.replaying import get_replay

    _show(get_replay(replay_id, wait=wait, timeout_s=timeout), as_json=as_json)


@replays.command("list")
def list_replays(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Newest first."""
    from ringback.cli.output import ago, show_list
    from ringback.cli.replaying import list_replays as ask

    found = ask(limit)
    show_list(
        found,
        ("ID", "STATE", "MATCHED", "REDELIVERED", "MADE"),
        lambda one: (
            one.id,
            f"{one.state}, dry run" if one.dry_run else str(one.state),
            str(one.matched),
            str(one.redelivered),
            ago(one.created_at),
        ),
        as_json=as_json,
        empty="no replays",
    )


@replays.command("cancel")
def cancel(replay_id: ReplayId, as_json: AsJson = False) -> None:
    """Stop it where it is. What it made due is sent all the same."""
    from ringback.cli.connection import call

    _show(call(lambda client: client.replays.cancel(replay_id)), as_json=as_json)


def _show(replay: "ReplayBody", *, as_json: bool) -> None:
    from ringback.cli.output import show_one
    from ringback.cli.replaying import show_replay

    show_one(replay, show_replay, as_json=as_json)


def _known(states: list[str]) -> list[str]:
    from ringback_schemas.states import DELIVERY_REDELIVERABLE

    known = [state.value for state in DELIVERY_REDELIVERABLE]
    for name in states:
        if name not in known:
            raise typer.BadParameter(f"{name} cannot be replayed; {', '.join(known)} can", param_hint="--state")
    return states
