"""Commands about events: the feed, and a receiver on this machine."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from ringback.cli.endpoint_options import SecretFile, secret_in
from ringback.cli.times import moment_in

if TYPE_CHECKING:
    from ringback.cli.listening import Wanted

NOW = "now"
OLDEST = "oldest"
FIRST = 50
"""Events that are shown unless told otherwise."""

Events = Annotated[
    list[str] | None,
    typer.Option("--events", metavar="TYPES", help="Only these, such as job.failed,endpoint.*; may be repeated."),
]
After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Go on behind an event: its cursor, as --json shows it.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="2026-11-21T07:00:00Z, 6h for six hours ago, oldest, or now."),
]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON, a line for each, for programs.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command("events")(show)
    app.command("listen")(listen)


def show(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")] = False,
    events: Events = None,
    since: Since = None,
    after: After = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Show at most so many; 50, or all.")] = None,
    as_json: JsonLines = False,
) -> None:
    """What happened, oldest first: ends of jobs, and what is told of endpoints."""
    from ringback.cli.listening import show_events

    wanted = _wanted(events, since or (None if after else NOW if follow else OLDEST), after, follow=follow)
    show_events(wanted, limit=limit or (None if follow else FIRST), as_json=as_json)


def listen(
    forward_to: Annotated[
        str, typer.Option("--forward-to", metavar="URL", help="Your receiver: http://localhost:3000/hooks.")
    ],
    events: Events = None,
    since: Since = None,
    after: After = None,
    secret_file: SecretFile = None,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="To answer in.")] = 15.0,
    as_json: JsonLines = False,
) -> None:
    """Hand events to a receiver on this machine, as signed webhooks; from now on, unless told otherwise.

    Each is sent once, in order, and shown with its answer. Signed with the secret of callbacks if the key may read it,
    else with one that is made for this time and shown.
    """
    from ringback.cli.listening import Target, forward_events

    _check_url(forward_to)
    wanted = _wanted(events, since or (None if after else NOW), after, follow=True)
    forward_events(wanted, Target(forward_to, _secret(secret_file), timeout), as_json=as_json)


def _wanted(events: list[str] | None, since: str | None, after: str | None, *, follow: bool) -> "Wanted":
    from ringback.cli.listening import Wanted

    if since is not None and after is not None:
        raise typer.BadParameter("give --since or --after, not both", param_hint="--since")
    types = tuple(one for text in events or () for one in text.split(",") if one)
    match since:
        case None:
            return Wanted(after, None, types, follow)
        case "now" | "oldest":
            return Wanted(NOW if since == NOW else None, None, types, follow)
        case _:
            return Wanted(None, moment_in(since, "--since"), types, follow)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise typer.BadParameter("must look like http://localhost:3000/hooks", param_hint="--forward-to")


def _secret(path: str | None) -> str | None:
    """The secret in that file, as Ringback keeps such."""
    from ringback.webhooks import InvalidSecret, canonical_secret

    text = secret_in(path)
    if text is None:
        return None
    try:
        return canonical_secret(text)
    except InvalidSecret as error:
        raise typer.BadParameter(str(error), param_hint="--secret-file") from error
