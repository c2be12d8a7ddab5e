"""What is over is purged under load, and nothing that somebody still waits for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.faults.fleet import API_KEY, settle
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

RETENTION_S = 8.0
STEP_S = 2.0
"""More than a step of the purger takes: what it forgets is counted from the step's beginning."""
SLACK_S = 0.25
"""By how much the clock of the wall, which rows go by, and the steady one of the polls may drift apart meanwhile."""
EACH = 10
"""Every tenth job is polled."""
PURGED_WITHIN_S = 60.0


@dataclass(slots=True)
class Watch:
    """Clients that poll jobs through both front ends, and what they were told against the promise."""

    stage: Stage
    session: aiohttp.ClientSession
    silent: dict[str, float] = field(default_factory=dict)
    """Jobs of which nobody is told, and when they were submitted: none has ended before that."""
    known_at: dict[str, float] = field(default_factory=dict)
    """When each was last asked for while it was a 200."""
    buried: set[str] = field(default_factory=set)
    """Those that were seen as a 410."""
    forgotten: set[str] = field(default_factory=set)
    """Those that were seen as a 404."""
    wrongs: list[str] = field(default_factory=list)
    polls: int = 0

    async def run(self) -> None:
        """Poll whatever was accepted, again and again, also when it is gone."""
        while True:
            for job_id in self.watched:
                await self._poll(job_id)
            await settle(0.1)

    @property
    def watched(self) -> list[str]:
        """The jobs that are polled."""
        with_webhook = [job_id for entry in self.stage.driver.ledger.entries[::EACH] for job_id in entry.job_ids]
        return [*self.silent, *with_webhook]

    @property
    def gone(self) -> set[str]:
        """Those that are no 200 any more."""
        return self.buried | self.forgotten

    async def _poll(self, job_id: str) -> None:
        self.polls += 1
        asked_at = time.monotonic()
        status, told = await self.ask(job_id, self.polls)
        # until the answer is here: a purge amid a slow request is none too early
        over_s = time.monotonic() - self._over_at(job_id)
        was_forgotten = job_id in self.forgotten
        match status:
            case 200 if job_id not in self.gone:
                self.known_at[job_id] = asked_at
            case 410 if over_s >= RETENTION_S - SLACK_S and "ended as succeeded" in told and not was_forgotten:
                self.buried.add(job_id)
            case 404 if was_forgotten or (over_s >= 2 * RETENTION_S - SLACK_S and self._may_be_forgotten(job_id)):
                self.forgotten.add(job_id)
            case _:
                self.wrongs.append(f"{job_id} was a {status} ({told}), over for {over_s:.2f} s, {self._past(job_id)}")

    def _over_at(self, job_id: str) -> float:
        """A moment before which nothing of it may count as over: it waits for its webhook, if there is one."""
        if job_id in self.silent:
            return self.silent[job_id]
        if not self.stage.inbox.has_taken(job_id):
            return float("inf")
        return min(arrival.taken_at for arrival in self.stage.inbox.by_job[job_id] if arrival.taken)

    def _past(self, job_id: str) -> str:
        seen = {200: self.known_at, 410: self.buried, 404: self.forgotten}
        return f"seen before as {[status for status, jobs in seen.items() if job_id in jobs]}"

    def complain(self) -> None:
        """Raise when a poll was answered wrongly."""
        if self.wrongs:
            raise AssertionError(f"{len(self.wrongs)} polls were answered wrongly: {self.wrongs[:3]}")

    def _may_be_forgotten(self, job_id: str) -> bool:
        """Whether it was there, and was a 410 for all its time since, whoever asked for it then."""
        return time.monotonic() - self.known_at.get(job_id, float("inf")) > RETENTION_S - STEP_S

    async def ask(self, job_id: str, number: int = 0) -> tuple[int, str]:
        """The status that a front end gives of a job, and the detail of a problem."""
        urls = self.stage.fleet.urls
        async with self.session.get(f"{urls[number % len(urls)]}/v1/jobs/{job_id}") as answer:
            document = await answer.json(content_type=None)
            return answer.status, document.get("detail", "")


async def purged_under_load(stage: Stage) -> None:
    """The receiver is down for several times as long as jobs are kept; what nobody waits for is purged meanwhile.

    Workers and notifiers are killed in turn, while it is down and when it is back.
    """
    stage.inbox.is_down = True
    async with _watching(stage) as watch:
        await stage.load(40)
        began = time.monotonic()
        for _ in range(20):
            submitted_at = time.monotonic()
            watch.silent[await _without_webhook(stage)] = submitted_at
        await _kill_in_turn(stage)
        await eventually(
            lambda: watch.gone >= watch.silent.keys() or watch.wrongs,
            within_s=PURGED_WITHIN_S,
            what="jobs without webhook to go",
        )
        await settle(max(0.0, 3 * RETENTION_S - (time.monotonic() - began)))
        watch.complain()
        stage.inbox.is_down = False
        await _kill_in_turn(stage)
        await stage.loaded(stop=True)
        wanted = {job_id for entry in stage.driver.ledger.accepted for job_id in entry.job_ids}
        await eventually(lambda: _are_taken(stage, wanted), within_s=PURGED_WITHIN_S, what="all webhooks to be taken")
        watch.complain()
        watched = set(watch.watched)
        await eventually(
            lambda: watched <= watch.gone or watch.wrongs, within_s=PURGED_WITHIN_S, what="polled jobs to be purged"
        )
        watch.complain()
        await eventually(lambda: _are_gone(watch, wanted), within_s=PURGED_WITHIN_S, what="all jobs to be purged")
    watch.complain()
    stage.notes |= {"polls": watch.polls, "seen_as_410": len(watch.buried)}
    if len(watch.buried) < len(watched) / 2:
        raise AssertionError(f"only {len(watch.buried)} of {len(watched)} were seen as a 410")
    unseen = watch.silent.keys() - (watch.known_at.keys() & watch.buried)
    if unseen:
        raise AssertionError(f"without a webhook, and not seen as a 200 and then as a 410: {sorted(unseen)}")


@asynccontextmanager
async def _watching(stage: Stage) -> AsyncIterator[Watch]:
    """Clients that poll in the background."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {API_KEY}"}) as session:
        watch = Watch(stage, session)
        task = asyncio.create_task(watch.run(), name="polls")
        try:
            yield watch
        finally:
            task.cancel()
            await asyncio.wait([task])
            # also when it was waited for in vain: why nobody polls any more says more
            if not task.cancelled():
                task.result()


async def _without_webhook(stage: Stage) -> str:
    """A job of which nobody is told; its id."""
    _, job = await stage.api("POST", "/v1/jobs", json={"type": "faults.work", "payload": {}})
    return str(job["id"])


async def _kill_in_turn(stage: Stage) -> None:
    for victim in (*stage.fleet.notifiers, *stage.fleet.workers):
        await settle(1)
        await victim.kill()
        stage.faults += 1
        await stage.fleet.revive(victim)


async def _are_gone(watch: Watch, jobs: set[str]) -> bool:
    for job_id in jobs:
        status, _ = await watch.ask(job_id)
        if status not in {404, 410}:
            return False
    return True


def _are_taken(stage: Stage, jobs: set[str]) -> bool:
    return all(stage.inbox.has_taken(job_id) for job_id in jobs)


KEEPING_CASES = (
    Case("F60+BB-82", f"jobs kept for {RETENTION_S:g} s, webhooks that wait for longer", purged_under_load,
         settle_s=60, is_forgetful=True, settings={"RETENTION_S": f"{RETENTION_S:g}"}),
)  # fmt: skip
