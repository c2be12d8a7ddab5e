"""What commands ask of the API."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ringback.cli.connection import call
from ringback.cli.progress import progress
from ringback.client import Client
from ringback_schemas.http import DeliveryBody, EndpointBody, JobBody
from ringback_schemas.states import DeliveryState, JobState

T = TypeVar("T")

FIRST_ATTEMPT_WITHIN_S = 40.0
"""Longer than any endpoint may take to answer."""
LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to ask for; ``options`` are further arguments of ``Client.submit``."""

    type: str
    payload: Any
    options: dict[str, Any]


def submit_job(submission: Submission, *, wait: bool, timeout_s: float | None) -> JobBody:
    """The job, accepted; done when it is waited for."""

    async def work(client: Client) -> JobBody:
        job = await client.submit(submission.type, submission.payload, **submission.options)
        if not wait:
            return job
        with progress(_line) as show:
            show(job)
            return await client.wait(job.id, timeout_s=timeout_s, on_update=show)

    return call(work)


def wait_for(job_id: str, timeout_s: float | None) -> JobBody:
    """The job, done."""

    async def work(client: Client) -> JobBody:
        with progress(_line) as show:
            return await client.wait(job_id, timeout_s=timeout_s, on_update=show)

    return call(work)


def list_jobs(*, states: Sequence[JobState], limit: int, **filters: str | None) -> list[JobBody]:
    """At most so many jobs, newest first."""
    # mypy cannot know that filters are only those of jobs() that are texts
    return call(lambda client: first(limit, client.jobs(state=states, **filters)))  # type: ignore[arg-type]


def list_deliveries(*, states: Sequence[DeliveryState], limit: int) -> list[DeliveryBody]:
    """At most so many deliveries, newest first."""
    return call(lambda client: first(limit, client.all_deliveries(state=states)))


def list_endpoints(limit: int) -> list[EndpointBody]:
    """At most so many endpoints, newest first."""
    return call(lambda client: first(limit, client.endpoints.list()))


async def first(limit: int, found: AsyncIterator[T]) -> list[T]:
    """The first of them, at most so many; no more is asked for than it takes. ``limit`` is at least 1."""
    taken: list[T] = []
    async for one in found:
        taken.append(one)
        if len(taken) >= limit:
            break
    return taken


def send_endpoint_test(endpoint_id: str, *, wait: bool) -> DeliveryBody:
    """The delivery of a test; tried once when it is waited for, unless that takes too long."""

    async def work(client: Client) -> DeliveryBody:
        delivery = await client.endpoints.test(endpoint_id)
        give_up_at = time.monotonic() + FIRST_ATTEMPT_WITHIN_S
        while wait and not delivery.attempts and not delivery.done and time.monotonic() < give_up_at:
            await asyncio.sleep(LOOK_EVERY_S)
            delivery = await client.delivery(delivery.id)
        return delivery

    return call(work)


def describe(job: JobBody) -> str:
    """The state of a job in a few words."""
    words = [str(job.state)]
    if job.state == JobState.RUNNING and job.progress is not None:
        if job.progress.fraction is not None:
            words.append(f"{job.progress.fraction:.0%}")
        if job.progress.message:
            words.append(job.progress.message)
    elif job.state == JobState.RETRYING:
        words.append(f"attempt {job.attempt} of {job.max_attempts} failed")
    if job.waiting_reason:
        words.append(job.waiting_reason)
    return ", ".join(words)


def _line(job: JobBody) -> str:
    return f"{job.id} {job.type}: {describe(job)}"
