"""Receivers that hang, drip, flood, point elsewhere, lie and break off, all at once beside one that is well."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from ringback.client import Client
from ringback_schemas.deliveries import Verdict
from ringback_schemas.http import DeliveryBody
from tests.answers import (
    HALF_HEAD,
    NOT_HTTP,
    SHORT_BODY,
    Answer,
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
from tests.faults.hostile_oracle import (
    DEADLINE_S,
    RETRY_AFTER_S,
    SCHEDULE,
    Hostility,
    judge_crowd,
    judge_deadlines,
    judge_hostility,
)
from tests.faults.stage import Case, Stage
from tests.memory import forget_peak_bytes, peak_bytes
from tests.receiver import Receiver
from tests.waiting import eventually

SLOWER_TIMES = 3
SLOWER_BY_S = 1.0
"""What 95 of 100 webhooks of the healthy receiver may take more than in the warm-up, on the same machine with nothing
hostile about: so many times as long, and so much besides. What waits behind a hostile one waits for its deadline."""
MAY_GROW_BYTES = 24 * 1024**2
"""Of a notifier; measured: 4 MB. One answer of 100 MB, or the beginning of a bomb, kept in memory is far beyond it."""
JOBS_EACH = 4
"""With four attempts each that is below what opens a circuit, so that all of them are made."""
CROWD = 60
"""Jobs for one receiver that hangs on all of them."""
ENDED_WITHIN_S = 90.0

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
    usual_s = await _warm_up(stage)
    grown_from = {notifier.pid: forget_peak_bytes(notifier.pid) for notifier in stage.fleet.notifiers}
    began = time.monotonic()
    async with Client(await stage.fleet.any_ready(), API_KEY) as client, _receivers() as receivers:
        await stage.load(60)
        crowd = await _ring(client, receivers[-1], CROWD)
        jobs = await asyncio.gather(*[_ring(client, receiver, JOBS_EACH) for receiver in receivers[:-1]])
        stage.faults += CROWD + JOBS_EACH * len(HOSTILITIES)
        told = [[await _ended(client, job_id) for job_id in its_jobs] for its_jobs in jobs]
        for hostility, receiver, deliveries in zip(HOSTILITIES, receivers, told, strict=False):
            judge_hostility(hostility, receiver, deliveries)
        crowded = await judge_crowd(client, receivers[-1], crowd)
        stage.notes |= judge_deadlines([*chain(*told), *crowded])
        await stage.loaded(stop=True)
    _judge_memory(stage, grown_from)
    await _judge_healthy(stage, began, SLOWER_TIMES * usual_s + SLOWER_BY_S)


async def _warm_up(stage: Stage) -> float:
    """What every notifier needs once, and what the receivers send, is there before anything is measured.

    How long webhooks of a healthy receiver take where nothing is hostile.
    """
    await asyncio.to_thread(packed_zeros)
    began = time.monotonic()
    await stage.load(60, 200)
    await stage.loaded()
    await _all_taken(stage)
    stage.notes["usual_p95_s"] = usual_s = _p95_s(stage, began)
    return usual_s


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


def _judge_memory(stage: Stage, grown_from: Mapping[int, int]) -> None:
    """Every notifier lives, and has not taken much more than it had."""
    gone = [notifier.name for notifier in stage.fleet.notifiers if not notifier.is_alive]
    if gone:
        raise AssertionError(f"{gone} died of it")
    stage.notes["grown_mb"] = grown = max(peak_bytes(pid) - was for pid, was in grown_from.items()) / 1e6
    if grown * 1e6 > MAY_GROW_BYTES:
        raise AssertionError(f"a notifier grew by {grown:.0f} MB")


async def _judge_healthy(stage: Stage, since: float, within_s: float) -> None:
    """All its webhooks came, and soon."""
    await _all_taken(stage)
    stage.notes["healthy_p95_s"] = p95_s = _p95_s(stage, since)
    if p95_s > within_s:
        raise AssertionError(f"95 of 100 healthy webhooks came within {p95_s:.1f} s, not {within_s:.1f}")


def _p95_s(stage: Stage, since: float) -> float:
    """What 95 of 100 webhooks of jobs that were accepted since then took from the 202 to their receipt."""
    took = sorted(
        stage.inbox.by_job[job_id][0].taken_at - entry.accepted_at
        for entry in stage.driver.ledger.accepted
        for job_id in entry.job_ids
        if entry.accepted_at is not None and entry.accepted_at > since
    )
    if not took:
        raise AssertionError("nothing was accepted that could be measured")
    return took[int(len(took) * 0.95)]


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
