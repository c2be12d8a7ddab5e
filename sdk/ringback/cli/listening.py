"""Following the feed: showing events as they come, and handing them on."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import orjson
import typer

from ringback.cli.connection import call
from ringback.cli.forwarding import Forwarded, Forwarder
from ringback.client import Client, ClientError, Event, ProblemError
from ringback.webhooks import new_secret

_FORBIDDEN = 403
_TYPE_WIDTH = len("endpoint.recovered")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events, and from where on."""

    after: str | None
    since: datetime | None
    types: Sequence[str]
    follow: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where to hand events to."""

    url: str
    secret: str | None
    """To sign with; absent: the tenant's own, or one for this time."""
    timeout_s: float


def show_events(wanted: Wanted, *, limit: int | None, as_json: bool) -> None:
    """Print events, at most ``limit``."""
    connection = Connection("following")

    async def work(client: Client) -> None:
        shown = 0
        async with aclosing(_events(client, wanted, connection)) as events:
            async for event in events:
                _echo(_as_json(event) if as_json else _as_line(event))
                shown += 1
                if shown == limit:
                    typer.echo(f"go on with: ringback events --after {event.cursor}", err=True)
                    return
        if shown == 0:
            typer.echo("no events", err=True)

    call(work)


def forward_events(wanted: Wanted, target: Target, *, as_json: bool) -> None:
    """Hand on events as they come, one at a time and each once, and print what became of each; for ever."""

    async def work(client: Client) -> None:
        secrets, whose = await _secrets(client, target.secret)
        connection = Connection(f"forwarding to {target.url}, signed with {whose}")
        async with (
            Forwarder(target.url, secrets, timeout_s=target.timeout_s) as forwarder,
            aclosing(_events(client, wanted, connection)) as events,
        ):
            async for event in events:
                _show(await forwarder.forward(event), as_json=as_json)

    call(work)


class Connection:
    """Tells on standard error how it stands with the API."""

    def __init__(self, ready: str) -> None:
        """``ready`` is what is said when all is well."""
        self._ready = ready
        self._is_away = False

    def __call__(self, error: ClientError | None) -> None:
        """Say what is new."""
        if error is None:
            typer.echo("the API is back" if self._is_away else self._ready, err=True)
        elif not self._is_away:
            typer.echo(f"{error}; waiting for it, nothing is missed", err=True)
        self._is_away = error is not None


def _events(client: Client, wanted: Wanted, connection: Connection) -> AsyncGenerator[Event]:
    return client.events(
        after=wanted.after, since=wanted.since, types=wanted.types, follow=wanted.follow, on_connection=connection
    )


async def _secrets(client: Client, given: str | None) -> tuple[list[str], str]:
    """What to sign with, and whose that is. One that was made for this time is shown, for the receiver needs it."""
    if given is not None:
        return [given], "the secret that was given"
    try:
        live = [one.secret for one in await client.secrets.show() if one.secret]
    except ProblemError as error:
        if error.status != _FORBIDDEN:
            raise
        live = []
    if live:
        return live, "the secret of callbacks"
    made = new_secret()
    return [made], f"a secret for this time: {made}"


def _show(forwarded: Forwarded, *, as_json: bool) -> None:
    event = forwarded.event
    if as_json:
        answer = {"status": forwarded.status, "reason": forwarded.reason, "took_s": round(forwarded.took_s, 6)}
        _echo(
            orjson.dumps({"id": event.id, "type": event.type, "job_id": event.job_id, "cursor": event.cursor, **answer})
        )
        return
    from rich.console import Console
    from rich.text import Text

    what = f"{forwarded.status} {forwarded.reason}" if forwarded.status is not None else forwarded.reason
    line = Text(f"{time.strftime('%H:%M:%S')}  {event.type:<{_TYPE_WIDTH}}  {event.id}  ")
    line.append(what.strip(), style="green" if forwarded.is_taken else "red")
    line.append(f"  {forwarded.took_s * 1000:.0f} ms")
    Console(soft_wrap=True).print(line)


def _as_json(event: Event) -> bytes:
    return orjson.dumps(
        {
            "id": event.id,
            "type": event.type,
            "job_id": event.job_id,
            "created_at": event.created_at,
            "cursor": event.cursor,
            "body": orjson.Fragment(event.body),
        },
        option=orjson.OPT_UTC_Z,
    )


def _as_line(event: Event) -> bytes:
    moment = event.created_at.isoformat(sep=" ", timespec="seconds")
    about = event.job_id or event.json()["data"].get("endpoint_id") or "-"
    return f"{moment}  {event.type:<{_TYPE_WIDTH}}  {event.id}  {about}".encode()


def _echo(line: bytes) -> None:
    """At once: a program may be reading."""
    typer.echo(line)
