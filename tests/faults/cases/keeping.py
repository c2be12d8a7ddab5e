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
EACH = 10
"""Every tenth job is polled."""
PURGED_WITHIN_S = 60.0


@dataclass(slots=True)
class Watch:
    """Clients that poll jobs through both front ends, and what they were told against the promise."""

    stage: Stage
    session: aiohttp.ClientSession
    known_at: dict[str, float] = field(default_factory=dict)
    """When each was last asked for while it was a 200."""
    gone: set[str] = field(default_factory=set)
    """Those that are no 200 any more."""
    buried: int = 0
    """How many of them were seen as a 410."""
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
        return [job_id for entry in self.stage.driver.ledger.entries[::EACH] for job_id in entry.job_ids]

    async def _poll(self, job_id: str) -> None:
        self.polls += 1
        asked_at = time.monotonic()
        status, told = await self.ask(job_id, self.polls)
        is_taken, was_gone = self.stage.inbox.has_taken(job_id), job_id in self.gone
        match status:
            case 200 if not was_gone:
                self.known_at[job_id] = asked_at
            case 410 if is_taken and "ended as succeeded" in told:
                self.buried += not was_gone
                self.gone.add(job_id)
            case 404 if was_gone or (is_taken and self._may_be_forgotten(job_id)):
                self.gone.add(job_id)
            case _:
                self.wrongs.append(f"{job_id} was a {status} ({told}), taken: {is_taken}, gone before: {was_gone}")

    def complain(self) -> None:
        """Raise when a poll was answered wrongly."""
        if self.wrongs:
            raise AssertionError(f"{len(self.wrongs)} polls were answered wrongly: {self.wrongs[:3]}")

    def _may_be_forgotten(self, job_id: str) -> bool:
        """Whether nobody asked for it during all the time that it was a 410."""
        return time.monotonic() - self.known_at.get(job_id, float("-inf")) > RETENTION_S - STEP_S

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
        silent = [await _without_webhook(stage) for _ in range(20)]
        began = time.monotonic()
        await _kill_in_turn(stage)
        await eventually(lambda: _are_gone(watch, silent), within_s=PURGED_WITHIN_S, what="jobs without webhook to go")
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
        await eventually(lambda: _are_gone(watch, wanted), within_s=PURGED_WITHIN_S, what="all jobs to be purged")
    watch.complain()
    stage.notes |= {"polls": watch.polls, "seen_as_410": watch.buried}
    if watch.buried < len(watched) / 2:
        raise AssertionError(f"only {watch.buried} of {len(watched)} were seen as a 410")


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


async def _are_gone(watch: Watch, jobs: set[str] | list[str]) -> bool:
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
