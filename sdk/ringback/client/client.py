"""The client itself: a method for each thing that the API can do."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson
from pydantic_core import to_json

from ringback.client.endpoints import EndpointCalls
from ringback.client.errors import StillRunning
from ringback.client.events import Asked, Event, OnConnection, follow_events, read_events
from ringback.client.moments import in_utc
from ringback.client.paging import pages
from ringback.client.polling import OnUpdate, poll_until_done
from ringback.client.replays import ReplayCalls
from ringback.client.secrets import SecretCalls
from ringback.client.transport import Transport
from ringback_schemas.http import (
    DeliveryBody,
    DeliveryPage,
    JobBody,
    JobPage,
    TaskTypeBody,
    TaskTypesBody,
)
from ringback_schemas.ids import check_id
from ringback_schemas.states import DeliveryState, JobState

GIVE_UP_AFTER_S = 60.0
FIRST_POLL_S = 0.05


class Client:
    """Talks to a Ringback API: ``async with Client("https://jobs.example", key) as client``.

    A request that may be repeated without harm is, while connections fail or the API answers 503: submitting carries
    an idempotency key. Errors are in ``ringback.client.errors``; an id that can be
    none raises ``InvalidId`` before anything is asked.

    Registered endpoints are under ``client.endpoints``, what signs webhooks under ``client.secrets``, and replays (many
    webhooks sent again) under ``client.replays``.
    """

    def __init__(self, url: str, key: str, *, give_up_after_s: float = GIVE_UP_AFTER_S) -> None:
        """``url`` is where the API is, without ``/v1``; ``give_up_after_s`` bounds the repetition of one request."""
        self._transport = Transport(url, key, give_up_after_s=give_up_after_s)
        self.endpoints = EndpointCalls(self._transport)
        self.secrets = SecretCalls(self._transport)
        self.replays = ReplayCalls(self._transport)

    def __repr__(self) -> str:
        return f"Client({self._transport.url!r}, '***')"

    async def __aenter__(self) -> Self:
        """Open the session; the API may still be away."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        await self._transport.__aexit__(kind, error, traceback)

    async def submit(  # noqa: PLR0913 - a keyword for each thing that a job may want
        self,
        type: str,  # noqa: A002 - the name it has everywhere else
        payload: Any = None,
        *,
        callback_url: str | None = None,
        callback_events: Sequence[str] | None = None,
        queue: str | None = None,
        run_at: datetime | None = None,
        delay_s: float | None = None,
        expires_at: datetime | None = None,
        timeout_s: float | None = None,
        max_attempts: int | None = None,
        tags: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> JobBody:
        """Ask for a task to be run; the job is committed when this returns.

        Args:
            type: Name of the task.
            payload: What it gets: anything that pydantic can write as JSON, models and dataclasses among it.
            callback_url: Where the signed webhook goes when the job ends.
            callback_events: Which ends to be told of, such as ``job.failed``; absent: all.
            queue: Absent: the task's own.
            run_at: Not before then; aware.
            delay_s: Not before that many seconds from now; instead of ``run_at``.
            expires_at: A job that still waits then ends as ``expired``; aware.
            timeout_s: Seconds that one attempt may take; absent: the task's.
            max_attempts: Absent: the task's.
            tags: To find it by.
            idempotency_key: Makes two calls one job; absent: a fresh one, which makes two *tries* of this call one job.

        Raises:
            ProblemError: the request was refused; ``pointer`` says where it is wrong.
            ApiUnreachable: no answer; the job may or may not exist, and with the same key asking again is safe.
        """
        given = {
            "type": type,
            "payload": payload,
            "callback_url": callback_url,
            "callback_events": None if callback_events is None else list(callback_events),
            "queue": queue,
            "run_at": _moment(run_at),
            "delay_s": delay_s,
            "expires_at": _moment(expires_at),
            "timeout_s": timeout_s,
            "max_attempts": max_attempts,
            "tags": list(tags) or None,
        }
        body = to_json({name: value for name, value in given.items() if value is not None})
        key = idempotency_key or uuid.uuid4().hex
        return await self._job("POST", "/v1/jobs", body=body, headers={"Idempotency-Key": key})

    async def get(self, job_id: str) -> JobBody:
        """The job as it is now."""
        return await self._job("GET", f"/v1/jobs/{check_id('job', job_id)}")

    async def wait(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
        on_update: OnUpdate[JobBody] | None = None,
    ) -> JobBody:
        """The job once it is done, however it ended: look at ``state``.

        Asks after 0.05 s, then at growing intervals up to 2 s. For long jobs a webhook is better.

        Args:
            job_id: Which job.
            timeout_s: How long to wait; for ever unless given.
            on_update: Told each answer.

        Raises:
            StillRunning: it was not done in time.
        """
        return await poll_until_done(
            lambda: self.get(job_id),
            first_poll_s=FIRST_POLL_S,
            timeout_s=timeout_s,
            on_update=on_update,
            too_late=StillRunning,
        )

    async def result(self, job_id: str) -> Any:
        """What the task returned, as JSON values.

        Raises:
            ProblemError: ``result-not-ready``, or ``result-of-failed-job``.
        """
        answer = await self._transport.request("GET", f"/v1/jobs/{check_id('job', job_id)}/result")
        return orjson.loads(answer.body)

    async def cancel(self, job_id: str) -> JobBody:
        """Cancel a job that waits, ask the worker of one that runs to stop it; done already is as good."""
        return await self._job("POST", f"/v1/jobs/{check_id('job', job_id)}/cancel")

    async def purge(self, job_id: str) -> None:
        """Delete a job that is done, with its payload, result and webhooks, now and for good.

        Raises:
            ProblemError: it is not done (``job-not-terminal``), or was purged before (``job-purged``).
        """
        # a repetition of what was done would be answered with 410
        await self._transport.request("DELETE", f"/v1/jobs/{check_id('job', job_id)}", is_repeatable=False)

    async def jobs(
        self,
        *,
        state: Sequence[JobState] = (),
        type: str | None = None,  # noqa: A002 - as in submit
        tag: str | None = None,
        queue: str | None = None,
        created_after: datetime | None = None,
    ) -> AsyncIterator[JobBody]:
        """Jobs, newest first, page after page for as long as you ask."""
        wanted = {"type": type, "tag": tag, "queue": queue, "created_after": _moment(created_after)}
        query = [(name, value) for name, value in wanted.items() if value is not None]
        query += [("state", one) for one in state]
        async for page in pages(self._transport, "/v1/jobs", query):
            for job in JobPage.model_validate_json(page).items:
                yield job

    async def deliveries(self, job_id: str) -> list[DeliveryBody]:
        """The deliveries of a job with their attempts, oldest first."""
        answer = await self._transport.request("GET", f"/v1/jobs/{check_id('job', job_id)}/deliveries")
        return DeliveryPage.model_validate_json(answer.body).items

    async def all_deliveries(self, *, state: Sequence[DeliveryState] = ()) -> AsyncIterator[DeliveryBody]:
        """Deliveries of all jobs, newest first, without their attempts."""
        async for page in pages(self._transport, "/v1/deliveries", [("state", one) for one in state]):
            for delivery in DeliveryPage.model_validate_json(page).items:
                yield delivery

    async def delivery(self, delivery_id: str) -> DeliveryBody:
        """A delivery with its attempts."""
        answer = await self._transport.request("GET", f"/v1/deliveries/{check_id('dlv', delivery_id)}")
        return DeliveryBody.model_validate_json(answer.body)

    async def redeliver(self, delivery_id: str) -> DeliveryBody:
        """Send a webhook again: same ``webhook-id``, same bytes, a fresh schedule."""
        answer = await self._transport.request("POST", f"/v1/deliveries/{check_id('dlv', delivery_id)}/redeliver")
        return DeliveryBody.model_validate_json(answer.body)

    async def events(
        self,
        *,
        after: str | None = None,
        since: datetime | None = None,
        types: Sequence[str] = (),
        follow: bool = False,
        on_connection: OnConnection = lambda _: None,
    ) -> AsyncGenerator[Event]:
        """Events of the tenant, oldest first: each once, in an order that never changes.

        Keep the ``cursor`` of the last event you have dealt with, and come back with it.

        Args:
            after: A cursor, or ``now`` for what is yet to come; absent: from the oldest that is kept.
            since: Instead of ``after``: from what was stored at about that time, or later; aware.
            types: Only these, such as ``job.failed`` or ``job.*``.
            follow: Goes on for ever, and waits out outages of the API once it has answered.
            on_connection: While following: told why the API is away, and None once it answers.
        """
        asked = Asked(after, _moment(since), types)
        found = follow_events(self._transport, asked, on_connection) if follow else read_events(self._transport, asked)
        async with aclosing(found):
            async for event in found:
                yield event

    async def signing_secrets(self) -> list[str]:
        """What verifies callbacks, newest first, for ``verify_webhook``: ``whsec_…``, or ``whpk_…`` of a key pair."""
        return [one.secret or one.public_key or "" for one in await self.secrets.show()]

    async def task_types(self) -> list[TaskTypeBody]:
        """The tasks that jobs can ask for, with their JSON Schemas."""
        answer = await self._transport.request("GET", "/v1/task-types")
        return TaskTypesBody.model_validate_json(answer.body).items

    async def _job(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> JobBody:
        answer = await self._transport.request(method, path, body=body, headers=headers)
        return JobBody.model_validate_json(answer.body)


def _moment(moment: datetime | None) -> str | None:
    """RFC 3339. Raises as ``in_utc``."""
    return None if moment is None else in_utc(moment).isoformat()
