"""The client side of a fault case: steady submission with a ledger of every answer.

A refused or cut request is sent again with the same idempotency key, as a careful client would, until it is accepted.
"""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.faults.fleet import API_KEY

REQUEST_TIMEOUT_S = 10.0
MOST_JOBS = 100_000
"""Where a load without a count ends by itself."""


@dataclass(slots=True)
class Entry:
    """One request, and all answers it got."""

    key: str
    body: dict[str, Any]
    first_sent_at: float
    job_ids: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    """HTTP statuses in order; 0 for a connection that failed or was cut."""
    accepted_at: float | None = None


@dataclass(slots=True)
class Ledger:
    """All requests of a case."""

    entries: list[Entry] = field(default_factory=list)
    accept_latencies_s: list[tuple[float, float]] = field(default_factory=list)
    """When (monotonic) and how long each single POST that was accepted took."""

    @property
    def accepted(self) -> list[Entry]:
        """Those that got a 202."""
        return [entry for entry in self.entries if entry.accepted_at is not None]

    @property
    def answers(self) -> Counter[int]:
        """How often each status came; 0 counts cut connections."""
        return Counter(status for entry in self.entries for status in entry.answers)

    def first_accept_after(self, moment: float) -> float | None:
        """Seconds from a (monotonic) moment to the first 202 after it; absent when none came."""
        later = [at for at, _ in self.accept_latencies_s if at >= moment]
        return min(later) - moment if later else None

    def accept_p99_s(self, begin: float, end: float) -> float:
        """The 99th percentile of accept latencies between two moments; 0 when there were none."""
        window = sorted(latency for at, latency in self.accept_latencies_s if begin <= at <= end)
        return window[int(len(window) * 0.99)] if window else 0.0


class Driver:
    """Submits jobs at a steady rate to the front ends in turn."""

    def __init__(
        self,
        urls: Sequence[str],
        callback_base: str,
        *,
        seed: int = 0,
        give_up_s: float = 120.0,
        api_key: str = API_KEY,
    ) -> None:
        """``callback_base`` is the receiver's address; a request that is refused for ``give_up_s`` is given up."""
        self.ledger = Ledger()
        self._urls = list(urls)
        self._callback_base = callback_base
        self._random = random.Random(seed)  # noqa: S311 - a replayable load, no secret
        self._give_up_s = give_up_s
        self._api_key = api_key
        self._stop = asyncio.Event()

    async def run(self, rate: float, count: int | None, payload: dict[str, Any] | None = None, **fields: Any) -> None:
        """Submit ``count`` jobs at ``rate`` a second, or until stopped; returns when each has its answer."""
        started = time.monotonic()
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(MOST_JOBS if count is None else count):
                if await self._stopped_before(started + number / rate):
                    return
                group.create_task(self._submit(session, self._entry(payload, fields)))

    def stop(self) -> None:
        """Submit nothing new."""
        self._stop.set()

    async def submit_one(
        self, type_: str = "faults.work", payload: dict[str, Any] | None = None, **fields: Any
    ) -> Entry:
        """Submit a single job, and its entry when it is accepted."""
        entry = self._entry(payload, {"type": type_, **fields})
        async with aiohttp.ClientSession() as session:
            await self._submit(session, entry)
        return entry

    async def _stopped_before(self, moment: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, moment - time.monotonic())):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    def _entry(self, payload: dict[str, Any] | None, fields: dict[str, Any]) -> Entry:
        body = {
            "type": "faults.work",
            "payload": payload if payload is not None else {"seconds": 0.0, "echo": len(self.ledger.entries)},
            "callback_url": f"{self._callback_base}/hook",
            **fields,
        }
        entry = Entry(key=uuid.uuid4().hex, body=body, first_sent_at=time.monotonic())
        self.ledger.entries.append(entry)
        return entry

    async def _submit(self, session: aiohttp.ClientSession, entry: Entry) -> None:
        pause = 0.05
        while entry.accepted_at is None and time.monotonic() - entry.first_sent_at < self._give_up_s:
            if await self._post(session, entry):
                return
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))
            pause = min(1.0, pause * 2)

    async def _post(self, session: aiohttp.ClientSession, entry: Entry) -> bool:
        """One try; whether it was accepted or refused for good."""
        sent = time.monotonic()
        headers = {"Authorization": f"Bearer {self._api_key}", "Idempotency-Key": entry.key}
        try:
            async with session.post(
                f"{self._random.choice(self._urls)}/v1/jobs", json=entry.body, headers=headers,
                timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
            ) as answer:  # fmt: skip
                document = await answer.json(content_type=None)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            entry.answers.append(0)
            return False
        entry.answers.append(status)
        if status == 202:
            entry.accepted_at = time.monotonic()
            entry.job_ids.add(document["id"])
            self.ledger.accept_latencies_s.append((entry.accepted_at, entry.accepted_at - sent))
        return status < 500
