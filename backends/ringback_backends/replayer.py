"""Carries out replays. Runs beside every notifier; the store lets only one of them at a replay at a time."""

import time

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.broker import DELIVERIES
from ringback_backends.contracts.replays import ReplayStore
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.replays import ReplayPace, ReplayRecord
from ringback_schemas.states import REPLAY_DONE

EVERY_S = 1.0
"""How soon a replay is begun that another process was asked for, and how soon one goes on that had no room."""

log = structlog.get_logger(__name__)


class Replayer(Rounds):
    """Takes the steps of replays, and announces what they made due."""

    name = "replayer"

    def __init__(
        self, store: ReplayStore, announcer: Announcer, pace: ReplayPace | None = None, *, every_s: float = EVERY_S
    ) -> None:
        """``pace`` bounds a step, and with it how long others wait for what it locks."""
        super().__init__(every_s)
        self._store = store
        self._announcer = announcer
        self._pace = pace or ReplayPace()

    async def round(self) -> bool:
        """Take one step; True when there may be another.

        A crash before the commit leaves everything as it was; one after it, and before the announcement, leaves
        deliveries that are due and found by polling.
        """
        started = time.perf_counter()
        step = await self._store.advance_replay(self._pace)
        if step is None:
            return False
        if step.redelivered:
            self._announcer.announce(DELIVERIES, step.redelivered)
        if step.replay.state in REPLAY_DONE:
            _report(step.replay)
        # half of the time is the others': nobody waits for a replay as for a 202
        await self.pause(time.perf_counter() - started)
        return True


def _report(replay: ReplayRecord) -> None:
    log.info(
        "replay_done",
        replay=replay.id,
        tenant=replay.tenant_id,
        is_dry_run=replay.is_dry_run,
        matched=replay.matched,
        redelivered=replay.redelivered,
        skipped=replay.skipped.total,
    )
