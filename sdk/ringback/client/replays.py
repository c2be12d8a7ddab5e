"""What the client can do with replays: many deliveries sent again."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from pydantic_core import to_json

from ringback.client.errors import StillReplaying
from ringback.client.moments import in_utc
from ringback.client.paging import pages
from ringback.client.polling import OnUpdate, poll_until_done
from ringback.client.transport import Transport
from ringback_schemas.http import ReplayBody, ReplayPage
from ringback_schemas.ids import check_id
from ringback_schemas.states import DeliveryState

FIRST_POLL_S = 0.1


class ReplayFilter(TypedDict, total=False):
    """Which deliveries to send again: those that meet all of it."""

    states: Sequence[DeliveryState]
    """``exhausted``, ``delivered``, ``retrying``; absent: only what is exhausted."""
    events: Sequence[str]
    """Event types, or the beginning of some: ``job.*``."""
    endpoint_id: str
    url: str
    destination: str
    created_after: datetime
    """Aware, as the next one."""
    created_before: datetime


class ReplayCalls:
    """Starts, shows and stops replays; ``client.replays``. Raises as the client does."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def start(self, *, dry_run: bool = False, **wanted: Unpack[ReplayFilter]) -> ReplayBody:
        """Send all deliveries that meet the filter again, in the background; with ``dry_run`` only count them.

        Not repeated by itself once it may have been seen: two calls are two replays.

        Raises:
            ValueError: a time is not aware.
        """
        body = to_json({"filter": _in_utc(wanted), "dry_run": dry_run})
        return await self._replay("POST", "/v1/replays", body=body, is_repeatable=False)

    async def list(self) -> AsyncIterator[ReplayBody]:
        """Replays, newest first, page after page for as long as you ask."""
        async for page in pages(self._transport, "/v1/replays", []):
            for replay in ReplayPage.model_validate_json(page).items:
                yield replay

    async def get(self, replay_id: str) -> ReplayBody:
        """The replay as it is now."""
        return await self._replay("GET", _path(replay_id))

    async def cancel(self, replay_id: str) -> ReplayBody:
        """Stop it where it is; what it made due is sent all the same. Done already is as good."""
        return await self._replay("POST", f"{_path(replay_id)}/cancel")

    async def wait(
        self,
        replay_id: str,
        *,
        timeout_s: float | None = None,
        on_update: OnUpdate[ReplayBody] | None = None,
    ) -> ReplayBody:
        """The replay once it is done or cancelled: everything is due then, though not yet sent.

        Args:
            replay_id: Which replay.
            timeout_s: How long to wait; for ever unless given.
            on_update: Told each answer.

        Raises:
            StillReplaying: it was not done in time.
        """
        return await poll_until_done(
            lambda: self.get(replay_id),
            first_poll_s=FIRST_POLL_S,
            timeout_s=timeout_s,
            on_update=on_update,
            too_late=StillReplaying,
        )

    async def _replay(
        self, method: str, path: str, *, body: bytes | None = None, is_repeatable: bool = True
    ) -> ReplayBody:
        answer = await self._transport.request(method, path, body=body, is_repeatable=is_repeatable)
        return ReplayBody.model_validate_json(answer.body)


def _path(replay_id: str) -> str:
    return f"/v1/replays/{check_id('rpl', replay_id)}"


def _in_utc(wanted: ReplayFilter) -> dict[str, object]:
    return {
        name: in_utc(value) if isinstance(value, datetime) else value
        for name, value in wanted.items()
        if value is not None
    }
