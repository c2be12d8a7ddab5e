"""Somebody reads the feed of events while what writes and serves it is killed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.faults.fleet import API_KEY, settle
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

PAGE = 20
"""Small, so that there are many places to go on from."""
READ_WITHIN_S = 60.0


@dataclass(slots=True)
class Follower:
    """Goes on from its cursor, at one front end after the other, over whatever happens to them."""

    urls: list[str]
    session: aiohttp.ClientSession
    cursor: str = ""
    read: list[str] = field(default_factory=list)
    """Ids of events, as they came."""
    requests: int = 0

    async def run(self) -> None:
        """For ever; asks without pause, to see what is there while transactions that write events end."""
        while True:
            if not await self.step():
                await settle(0.01)

    async def to_the_end(self) -> list[str]:
        """All that there is from the cursor on."""

        async def is_read() -> bool:
            return await self.step() == 0

        await eventually(is_read, within_s=READ_WITHIN_S, what="the end of the feed")
        return self.read

    async def step(self) -> int | None:
        """Read a page; how many events were on it, none at the end, and absent when there was no answer."""
        self.requests += 1
        url = self.urls[self.requests % len(self.urls)]
        query = {"limit": PAGE} | ({"after": self.cursor} if self.cursor else {})
        try:
            async with self.session.get(f"{url}/v1/events", params=query) as answer:
                page = await answer.json(content_type=None)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return None
        if answer.status == 503:
            return None
        if answer.status != 200:
            raise AssertionError(f"the feed behind {self.cursor!r} was answered with {answer.status}: {page}")
        self.read += [event["id"] for event in page["items"]]
        self.cursor = page["next"]
        return len(page["items"])


async def followed_over_kills(stage: Stage) -> None:
    """Front ends and workers are killed in turn, PostgreSQL too: the follower sees each event once, in one order."""
    async with _session() as session, _following(Follower(stage.fleet.urls, session)) as follower:
        await stage.load(120, None, {"seconds": 0.02})
        for front, worker in zip(stage.fleet.apis, stage.fleet.workers, strict=False):
            for victim in (front, worker):
                await settle(1)
                await victim.kill()
                stage.faults += 1
                await stage.fleet.revive(victim)
            await settle(1)
            await asyncio.to_thread(stage.servers.postgres.restart, immediate=True)
            stage.faults += 1
        await settle(2)
        await stage.loaded(stop=True)

        def has_all() -> bool:
            is_done = all(stage.inbox.has_taken(one) for entry in stage.driver.ledger.accepted for one in entry.job_ids)
            return is_done and set(follower.read) >= stage.inbox.taken

        await eventually(has_all, within_s=READ_WITHIN_S, what="the follower to read every event")
        again = await Follower(stage.fleet.urls, session).to_the_end()
    stage.notes |= {"events": len(follower.read), "pages": follower.requests}
    twice = [event for event, times in Counter(follower.read).items() if times > 1]
    if twice or set(follower.read) != stage.inbox.arrivals.keys():
        unknown, missed = set(follower.read) - stage.inbox.arrivals.keys(), stage.inbox.arrivals.keys() - follower.read
        raise AssertionError(f"twice in the feed {twice[:5]}, unknown to receivers {unknown}, missed {missed}")
    if again != follower.read:
        place = next((n for n, (then, now) in enumerate(zip(follower.read, again, strict=False)) if then != now), -1)
        raise AssertionError(
            f"of {len(follower.read)} events {len(again)} are in the feed now, in another order from {place} on: "
            f"{follower.read[place : place + 3]}, now {again[place : place + 3]}"
        )


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    """Requests that end: a front end that is frozen must not hold up a follower."""
    headers, timeout = {"Authorization": f"Bearer {API_KEY}"}, aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        yield session


@asynccontextmanager
async def _following(follower: Follower) -> AsyncIterator[Follower]:
    """The follower, at work in the background."""
    task = asyncio.create_task(follower.run(), name="follower")
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        # also when it was waited for in vain: why it read no further says more
        if not task.cancelled():
            task.result()


FEED_CASES = (
    Case("BB-83", "feed read while front ends, workers and PostgreSQL are killed", followed_over_kills,
         settle_s=60, workers=4),
)  # fmt: skip
