"""Receivers that hang, drip, flood, point elsewhere, lie and break off, all at once beside one that is well."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from ringback.client import Client
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import AttemptBody, DeliveryBody
from ringback_schemas.states import DeliveryState
from tests.answers import (
    HALF_HEAD,
    NOT_HTTP,
    SHORT_BODY,
    Answer,
    Behaviour,
    DeepGzip,
    Drip,
    Flood,
    Hang,
    Redirect,
    Reset,
    head,
    many_headers,
    packed_zeros,
)
from tests.certificates import self_signed, server_context
from tests.faults.fleet import API_KEY
from tests.faults.stage import Case, Stage
from tests.memory import forget_peak_bytes, peak_bytes
from tests.receiver import Receiver
from tests.waiting import eventually

DEADLINE_S = 4.0
LATE_S = 4.0
"""How late the deadline may be noticed by a machine that has other things to do; by itself it is milliseconds."""
HEALTHY_WITHIN_S = DEADLINE_S / 2
"""95 of 100 webhooks of the healthy receiver: one that waits behind a hostile one waits for the deadline."""
MAY_GROW_BYTES = 24 * 1024**2
"""Of a notifier; measured: 4 MB. One answer of 100 MB, or the beginning of a bomb, kept in memory is far beyond it."""
RETRY_AFTER_S = 3
SCHEDULE = "[0.5, 1, 1.5]"
JOBS_EACH = 4
"""With four attempts each that is below what opens a circuit, so that all of them are made."""
CROWD = 60
"""Jobs for one receiver that hangs on all of them."""
ENDED_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Hostility:
    """What a receiver does, and how that has to be told."""

    name: str
    answer: Behaviour
    verdict: Verdict
    words: str = ""
    """Part of the reason."""
    is_tls: bool = False
    is_final: bool = False
    """Whether one attempt ends the delivery."""


HOSTILITIES = (
    Hostility("hangs", Hang(), Verdict.TIMEOUT, "no answer within"),
    Hostility("one byte a second", Drip(), Verdict.TIMEOUT, "but did not end within"),
    Hostility("100 MB", Flood(100_000_000), Verdict.DELIVERED, is_final=True),
    Hostility("gzip bomb", DeepGzip(), Verdict.DELIVERED, is_final=True),
    Hostility("10,000 headers", many_headers(10_000), Verdict.BAD_RESPONSE),
    Hostility("302", Redirect(), Verdict.REDIRECT, "not followed"),
    Hostility("410", Answer(410), Verdict.GONE, "not tried again", is_final=True),
    Hostility("429", Answer(429, {"Retry-After": str(RETRY_AFTER_S)}), Verdict.RATE_LIMITED),
    Hostility("self-signed", Answer(), Verdict.TLS_ERROR, "self-signed certificate", is_tls=True),
    Hostility("closes after a 2xx header", SHORT_BODY, Verdict.PREMATURE_EOF),
    Hostility("closes amid the header", HALF_HEAD, Verdict.PREMATURE_EOF),
    Hostility("resets after a 2xx header", Reset(head(200, {"Content-Length": "9"})), Verdict.RESET),
    Hostility("no HTTP", NOT_HTTP, Verdict.BAD_RESPONSE),
)


async def hostile_crowd(stage: Stage) -> None:
    """Thirteen hostile receivers, and one that hangs on a crowd, beside steady load for a healthy one."""
    await _warm_up(stage)
    grown_from = {notifier.pid: forget_peak_bytes(notifier.pid) for notifier in stage.fleet.notifiers}
    began = time.monotonic()
    async with Client(await stage.fleet.any_ready(), API_KEY) as client, _receivers() as receivers:
        await stage.load(60)
        crowd = await _ring(client, receivers[-1], CROWD)
        jobs = await asyncio.gather(*[_ring(client, receiver, JOBS_EACH) for receiver in receivers[:-1]])
        stage.faults += CROWD + JOBS_EACH * len(HOSTILITIES)
        for hostility, its_jobs in zip(HOSTILITIES, jobs, strict=True):
            for job_id in its_jobs:
                _judge(hostility, await _ended(client, job_id))
        await _judge_crowd(client, crowd)
        await stage.loaded(stop=True)
    stage.notes["grown_mb"] = grown = max(peak_bytes(pid) - was for pid, was in grown_from.items()) / 1e6
    if grown * 1e6 > MAY_GROW_BYTES:
        raise AssertionError(f"a notifier grew by {grown:.0f} MB")
    await _judge_healthy(stage, began)


async def _warm_up(stage: Stage) -> None:
    """What every notifier needs once, and what the receivers send, is there before anything is measured."""
    await asyncio.to_thread(packed_zeros)
    await stage.load(100, 200)
    await stage.loaded()
    await _all_taken(stage)


@asynccontextmanager
async def _receivers() -> AsyncIterator[Sequence[Receiver]]:
    """One for each hostility, and one more that hangs."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        tls = server_context(self_signed(folder))
        receivers = []
        for hostility in (*HOSTILITIES, HOSTILITIES[0]):
            receiver = await stack.enter_async_context(Receiver(tls=tls if hostility.is_tls else None))
            receiver.always(hostility.answer)
            receivers.append(receiver)
        yield receivers


async def _ring(client: Client, receiver: Receiver, count: int) -> list[str]:
    """So many jobs that ring back to that receiver."""
    jobs = [client.submit("faults.work", {}, callback_url=receiver.url()) for _ in range(count)]
    return [job.id for job in await asyncio.gather(*jobs)]


async def _ended(client: Client, job_id: str) -> DeliveryBody:
    async def there() -> DeliveryBody | None:
        found = await client.deliveries(job_id)
        return found[0] if found and found[0].done else None

    delivery = await eventually(there, within_s=ENDED_WITHIN_S, what=f"the delivery of {job_id} to end")
    assert delivery is not None
    return delivery


def _judge(hostility: Hostility, delivery: DeliveryBody) -> None:
    """What the API shows of a delivery is what its receiver did, as often as the schedule says, in bounded time."""
    attempts = delivery.attempts or []
    is_delivered = hostility.verdict is Verdict.DELIVERED
    state = DeliveryState.DELIVERED if is_delivered else DeliveryState.EXHAUSTED
    count = 1 if hostility.is_final else SCHEDULE.count(",") + 2
    if (delivery.state, len(attempts)) != (state, count) or not all(_fits(hostility, one) for one in attempts):
        told = [(one.verdict, one.reason, one.duration.total_s) for one in attempts]
        raise AssertionError(f"a receiver that {hostility.name!r} left a delivery {delivery.state} after {told}")
    if hostility.verdict is Verdict.RATE_LIMITED:
        begins = [attempt.started_at for attempt in attempts]
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(begins)]
        if min(gaps) < RETRY_AFTER_S:
            raise AssertionError(f"asked for {RETRY_AFTER_S} s, it was tried again after {min(gaps):.2f} s")


def _fits(hostility: Hostility, attempt: AttemptBody) -> bool:
    is_told = attempt.verdict is hostility.verdict and hostility.words in attempt.reason
    return is_told and attempt.duration.total_s < DEADLINE_S + LATE_S


async def _judge_crowd(client: Client, jobs: Sequence[str]) -> None:
    """None of them is forgotten, and whatever was tried ran into its deadline."""
    for job_id in jobs:
        (delivery,) = await client.deliveries(job_id)
        told = {attempt.verdict for attempt in delivery.attempts or []}
        if delivery.state is DeliveryState.DELIVERED or not told <= {Verdict.TIMEOUT}:
            raise AssertionError(f"a receiver that hangs on a crowd left a delivery {delivery.state} after {told}")


async def _judge_healthy(stage: Stage, since: float) -> None:
    """All its webhooks came, and soon."""
    await _all_taken(stage)
    took = sorted(
        stage.inbox.by_job[job_id][0].taken_at - entry.accepted_at
        for entry in stage.driver.ledger.accepted
        for job_id in entry.job_ids
        if entry.accepted_at is not None and entry.accepted_at > since
    )
    stage.notes["healthy_p95_s"] = p95_s = took[int(len(took) * 0.95)]
    if p95_s > HEALTHY_WITHIN_S:
        raise AssertionError(f"95 of 100 healthy webhooks came within {p95_s:.1f} s, not {HEALTHY_WITHIN_S:g}")


async def _all_taken(stage: Stage) -> None:
    wanted = {job_id for entry in stage.driver.ledger.accepted for job_id in entry.job_ids}

    def are_taken() -> bool:
        return all(stage.inbox.has_taken(job_id) for job_id in wanted)

    await eventually(are_taken, within_s=30, what="the healthy receiver's webhooks")


HOSTILE_CASES = (
    Case("F52+BB-41", "thirteen hostile receivers beside a healthy one", hostile_crowd, refuse_share=0.0,
         may_perform_twice=False, may_receive_twice=False, settings={"RETRY_SCHEDULE": SCHEDULE},
         role_settings={"notifier": {"DELIVERY_TIMEOUT_S": f"{DEADLINE_S:g}", "CONNECT_TIMEOUT_S": "2"}}),
)  # fmt: skip
