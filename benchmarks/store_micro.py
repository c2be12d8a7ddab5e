"""What each set-based call of the store costs, by rows in a call: rows per second and microseconds per row.

    python benchmarks/store_micro.py sqlite:////tmp/micro/store.db postgresql://postgres@127.0.0.1:5432/micro

The database is migrated first, and should be empty and without other load. Calls follow each other without a pause, so
the figures hold commits (those of claims are relaxed: see docs/decisions) and round trips, nothing of HTTP or a broker.
CPU is this process's own: with SQLite that is all of it, with PostgreSQL its server's comes on top.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from ringback_backends.contracts.store import Store
from ringback_backends.sql import is_sqlite, migrate, open_store
from ringback_schemas.deliveries import (
    ClaimedDelivery,
    DeliveryAttempt,
    DeliveryKind,
    DeliveryOutcome,
    NewDelivery,
    Timing,
    Verdict,
)
from ringback_schemas.events import NewEvent
from ringback_schemas.ids import (
    DEFAULT_TENANT,
    InstanceId,
    new_delivery_id,
    new_event_id,
    new_instance_id,
    new_job_id,
)
from ringback_schemas.jobs import ClaimedJob, IdempotencyKey, JobOutcome, NewJob
from ringback_schemas.states import DeliveryState, JobState

Answer = TypeVar("Answer")

PAYLOAD = b'{"text":"' + b"x" * 190 + b'"}'
BODY = b'{"type":"job.succeeded","timestamp":"2026-01-01T00:00:00.000000Z","data":{"id":"' + b"x" * 900 + b'"}}'
SECONDS_PER_STEP = 1.5


class OpenBox:
    """Stands in for encryption: no call measured here needs any."""

    def seal(self, plain: bytes) -> bytes:
        """As it is."""
        return plain

    def open(self, sealed: bytes) -> bytes:
        """As it is."""
        return sealed


@dataclass(slots=True)
class Clock:
    """Adds up one kind of call."""

    name: str
    rows: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0

    async def time(self, rows: int, call: Awaitable[Answer]) -> Answer:
        """The call's answer."""
        started, cpu = time.perf_counter(), time.process_time()
        answer = await call
        self.seconds += time.perf_counter() - started
        self.cpu_s += time.process_time() - cpu
        self.rows += rows
        return answer

    def __str__(self) -> str:
        """One line of the table."""
        each = 1e6 / max(1, self.rows)
        rate = self.rows / max(1e-9, self.seconds)
        return f"  {self.name:22}{rate:10,.0f} rows/s {self.seconds * each:9.1f} µs/row {self.cpu_s * each:9.1f} µs CPU"


def new_job(*, is_keyed: bool) -> NewJob:
    """A job as the benchmark of the road submits it."""
    job_id = new_job_id()
    return NewJob(
        job_id,
        DEFAULT_TENANT,
        "demo.echo",
        PAYLOAD,
        callback_url="http://127.0.0.1:9000/hook",
        idempotency=IdempotencyKey(job_id, b"f" * 32) if is_keyed else None,
    )


def succeeded(claimed: ClaimedJob, owner: InstanceId) -> JobOutcome:
    """It went well, and tells one receiver."""
    job = claimed.job
    delivery = NewDelivery(
        new_delivery_id(), DeliveryKind.CALLBACK, "http://127.0.0.1:9000/hook", "http://127.0.0.1:9000"
    )
    event = NewEvent(new_event_id(), DEFAULT_TENANT, job.id, "job.succeeded", BODY, (delivery,))
    return JobOutcome(job.id, job.attempt, owner, JobState.SUCCEEDED, claimed.payload, event=event)


def delivered(claimed: ClaimedDelivery, owner: InstanceId) -> DeliveryOutcome:
    """The receiver took it."""
    attempt = DeliveryAttempt(
        claimed.delivery.attempt,
        datetime.now(UTC),
        Timing(0.004, 0.0, 0.001, 0.003),
        Verdict.DELIVERED,
        "It took it.",
        200,
    )
    return DeliveryOutcome(claimed.delivery.id, owner, attempt, DeliveryState.DELIVERED)


async def round_trip(store: Store, owner: InstanceId, rows: int, clocks: Sequence[Clock], *, is_keyed: bool) -> None:
    """So many jobs from acceptance to the recorded webhook, one call per step."""
    accept, claim, finish, claim_deliveries, record = clocks
    jobs = [new_job(is_keyed=is_keyed) for _ in range(rows)]
    await accept.time(rows, store.accept(jobs))
    claimed = await claim.time(rows, store.claim_jobs(owner, [job.id for job in jobs], ["demo.echo"], rows))
    outcomes = [succeeded(job, owner) for job in claimed]
    await finish.time(rows, store.finish_jobs(outcomes))
    ids = [delivery.id for outcome in outcomes if outcome.event for delivery in outcome.event.deliveries]
    deliveries = await claim_deliveries.time(rows, store.claim_deliveries(owner, ids, rows))
    await record.time(rows, store.record_attempts([delivered(delivery, owner) for delivery in deliveries]))


async def measure(store: Store, rows: int, *, is_keyed: bool) -> list[Clock]:
    """All five steps with so many rows in a call."""
    owner = new_instance_id()
    names = (
        "accept (keyed)" if is_keyed else "accept",
        "claim_jobs",
        "finish_jobs",
        "claim_deliveries",
        "record_attempts",
    )
    clocks = [Clock(name) for name in names]
    await round_trip(store, owner, rows, [Clock(name) for name in names], is_keyed=is_keyed)
    until = time.perf_counter() + SECONDS_PER_STEP
    while time.perf_counter() < until:
        await round_trip(store, owner, rows, clocks, is_keyed=is_keyed)
    return [*clocks, *await idle_polls(store, owner)]


async def idle_polls(store: Store, owner: InstanceId) -> list[Clock]:
    """Polls that find nothing; a row is a call."""
    jobs, deliveries = Clock("idle poll, jobs"), Clock("idle poll, deliveries")
    for _ in range(50):
        await jobs.time(1, store.claim_due_jobs(owner, ["default"], ["demo.echo", "demo.sleep", "report.csv"], 64))
        await deliveries.time(1, store.claim_due_deliveries(owner, 128))
    return [jobs, deliveries]


async def main(urls: Sequence[str], printed: Callable[[str], None] = print) -> None:
    """Both databases, three sizes."""
    for url in urls:
        await migrate(url)
        async with open_store(url, secret_box=OpenBox()) as store:
            for rows, is_keyed in ((1, False), (20, False), (100, False), (100, True)):
                printed(f"{'SQLite' if is_sqlite(url) else 'PostgreSQL'}, {rows} rows in a call")
                for clock in await measure(store, rows, is_keyed=is_keyed):
                    printed(str(clock))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
