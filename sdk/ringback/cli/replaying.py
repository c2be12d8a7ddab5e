"""What commands ask about replays, and what is shown of one."""

from ringback.cli.asking import first
from ringback.cli.connection import call
from ringback.cli.output import ago, print_fields
from ringback.cli.progress import progress
from ringback.client import Client
from ringback.client.replays import ReplayFilter
from ringback_schemas.http import ReplayBody


def start_replay(wanted: ReplayFilter, *, dry_run: bool, wait: bool, timeout_s: float | None) -> ReplayBody:
    """The replay, committed; done when it is waited for."""

    async def work(client: Client) -> ReplayBody:
        replay = await client.replays.start(dry_run=dry_run, **wanted)
        return await _waited_for(client, replay.id, timeout_s) if wait else replay

    return call(work)


def get_replay(replay_id: str, *, wait: bool, timeout_s: float | None) -> ReplayBody:
    """The replay as it is, or once it is done."""

    async def work(client: Client) -> ReplayBody:
        return await (_waited_for(client, replay_id, timeout_s) if wait else client.replays.get(replay_id))

    return call(work)


def list_replays(limit: int) -> list[ReplayBody]:
    """At most so many replays, newest first."""
    return call(lambda client: first(limit, client.replays.list()))


def show_replay(replay: ReplayBody) -> None:
    """What it means, how far it is, and what it left out."""
    wanted, skipped = replay.filter, replay.skipped
    span = [wanted.created_after, wanted.created_before]
    print_fields(
        [
            ("id", replay.id),
            ("state", f"{replay.state} (dry run: nothing is sent)" if replay.dry_run else str(replay.state)),
            ("states", " ".join(wanted.states)),
            ("events", " ".join(wanted.events) or None),
            ("endpoint", wanted.endpoint_id),
            ("url", wanted.url),
            ("destination", wanted.destination),
            ("made", " to ".join("…" if one is None else one.isoformat() for one in span) if any(span) else None),
            ("matched", f"{replay.matched}" if replay.counted else f"{replay.matched} so far"),
            ("redelivered", None if replay.dry_run else str(replay.redelivered)),
            ("changed", _some(skipped.changed, "being sent, or sent again, since they were counted")),
            ("disabled", _some(skipped.endpoint_disabled, "left out: their endpoint is disabled")),
            ("gone", _some(skipped.endpoint_gone, "left out: their endpoint was deleted")),
            ("started", ago(replay.created_at)),
            ("ended", None if replay.finished_at is None else ago(replay.finished_at)),
        ]
    )


def describe(replay: ReplayBody) -> str:
    """How far it has come, in a few words."""
    if not replay.counted:
        return f"{replay.state}, {replay.matched} counted"
    return f"{replay.state}, {replay.redelivered} of {replay.matched}"


def _some(count: int, meaning: str) -> str | None:
    return f"{count} {meaning}" if count else None


async def _waited_for(client: Client, replay_id: str, timeout_s: float | None) -> ReplayBody:
    with progress(_line) as show:
        return await client.replays.wait(replay_id, timeout_s=timeout_s, on_update=show)


def _line(replay: ReplayBody) -> str:
    return f"{replay.id}: {describe(replay)}"
