"""Ends jobs that waited past their ``expires_at``. Runs in every process; the store lets only one of them record it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from ringback_backends.announcer import Announcer
from ringback_backends.contracts.errors import RowRefused
from ringback_backends.contracts.jobs import JobStore
from ringback_backends.endings import end_job
from ringback_backends.lease.announcing import announce_endings
from ringback_backends.lease.rounds import Rounds
from ringback_schemas.jobs import JobOutcome
from ringback_schemas.states import JobState

log = structlog.get_logger(__name__)


class Sweeper(Rounds):
    """Ends expired jobs, with their events and webhooks."""

    name = "sweeper"

    def __init__(
        self, store: JobStore, announcer: Announcer, public_url: str, *, every_s: float = 2.0, limit: int = 500
    ) -> None:
        """``public_url`` is the base of links in events, without a slash at its end; ``limit`` bounds one round."""
        super().__init__(every_s)
        self._store = store
        self._announcer = announcer
        self._public_url = public_url
        self._limit = limit

    async def round(self) -> bool:
        """End what has expired by now; True when there is more and this process got somewhere with it."""
        jobs = await self._store.expired_jobs(self._limit)
        if not jobs:
            return False
        now = datetime.now(UTC)
        ended = await self._end([end_job(job, JobState.EXPIRED, now=now, public_url=self._public_url) for job in jobs])
        log.info("expired", jobs=ended)
        return len(jobs) >= self._limit and ended > 0

    async def _end(self, outcomes: Sequence[JobOutcome]) -> int:
        """How many were ended; one that the store will not have is set aside, and does not keep the others."""
        try:
            return announce_endings(self._announcer, await self._store.finish_jobs(outcomes))
        except RowRefused as error:
            if len(outcomes) == 1:
                log.warning("expired_job_set_aside", job_id=outcomes[0].job_id, reason=str(error))
                return 0
        return sum([await self._end([outcome]) for outcome in outcomes])
