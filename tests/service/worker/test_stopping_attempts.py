"""Attempts that end before they want to: time-outs, cancels, and code that will not end."""

import os
from typing import Any

import orjson
import pytest

from ringback_schemas.ids import DEFAULT_TENANT
from ringback_schemas.jobs import JobDetail
from ringback_service.worker.timekeeper import AllSlotsAbandoned
from tests.service.worker.conftest import Rig
from tests.waiting import eventually


def code_of(detail: JobDetail) -> Any:
    """The code of a job's error."""
    return orjson.loads(detail.error or b"{}").get("code")


@pytest.mark.parametrize("task", ["good.patient", "slow.polite", "slow.process"])
async def test_attempt_is_ended_at_its_time_out(rig: Rig, task: str) -> None:
    """An attempt that takes longer than its time-out ends there, and counts."""
    async with rig.worker():
        detail = await rig.ended(await rig.submit(task, 60.0, timeout_s=0.3, max_attempts=1), within_s=20)

    assert (detail.job.state, code_of(detail)) == ("failed", "timeout")


async def test_time_out_is_retried(rig: Rig) -> None:
    """An attempt that timed out is followed by the next one."""
    async with rig.worker():
        job_id = await rig.submit("good.patient", 60.0, timeout_s=0.1, max_attempts=9)
        detail = await rig.when(job_id, "retrying")

    assert orjson.loads(detail.attempts[0].error or b"")["code"] == "timeout"


async def test_killed_process_is_really_gone(rig: Rig) -> None:
    """At a time-out the process of a task is killed, not only forgotten."""
    async with rig.worker():
        job_id = await rig.submit("slow.process", 60.0, timeout_s=1.0, max_attempts=1)

        async def process_id() -> int:
            progress = (await rig.job(job_id)).progress
            return int(progress.message or 0) if progress else 0

        pid = await eventually(process_id, within_s=20)
        await rig.ended(job_id, within_s=20)

        def is_gone() -> bool:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False

        await eventually(is_gone)


@pytest.mark.parametrize("task", ["slow.deaf", "slow.thread"])
async def test_attempt_that_ignores_its_time_out_is_abandoned(rig: Rig, task: str) -> None:
    """Code that will not end is left behind: its time-out is recorded, its slot stays taken until it does end."""
    async with rig.worker(concurrency=2) as worker:
        detail = await rig.ended(await rig.submit(task, 1.5, timeout_s=0.1, max_attempts=1))
        assert (detail.job.state, code_of(detail)) == ("failed", "timeout")
        assert (worker.abandoned, worker.room()) == (1, 1)

        other = await rig.ended(await rig.submit("good.sum", {"a": 1, "b": 1}))
        await eventually(lambda: worker.abandoned == 0 and worker.room() == 2)

    assert other.job.state == "succeeded"
    assert (await rig.job(detail.job.id)).job.state == "failed"
    assert rig.counts.outcomes == ["failed", "succeeded"]


async def test_worker_ends_when_every_slot_is_abandoned(rig: Rig) -> None:
    """A worker that can run nothing any more says so and ends, for its supervisor to start a fresh one."""

    async def fill_the_only_slot() -> None:
        async with rig.worker(concurrency=1) as worker:
            await rig.submit("slow.thread", 1.0, timeout_s=0.05, max_attempts=1)
            await eventually(lambda: worker.abandoned)

    with pytest.raises(AllSlotsAbandoned, match="all 1 slots are held"):
        await fill_the_only_slot()


@pytest.mark.parametrize("task", ["good.patient", "slow.polite", "slow.process", "slow.deaf", "slow.thread"])
async def test_running_job_can_be_cancelled(rig: Rig, task: str) -> None:
    """A cancel reaches a running job wherever it runs, and whether it listens or not."""
    async with rig.worker():
        job_id = await rig.submit(task, 2.0)
        await rig.when(job_id, "running")
        await rig.store.request_cancel(DEFAULT_TENANT, job_id)
        detail = await rig.ended(job_id)

    assert (detail.job.state, code_of(detail), detail.result) == ("cancelled", "cancelled", None)


async def test_late_cancel_loses_to_the_end(rig: Rig) -> None:
    """A cancel that comes after the end changes nothing."""
    async with rig.worker():
        job_id = await rig.submit("good.sum", {"a": 1, "b": 1})
        await rig.ended(job_id)
        await rig.store.request_cancel(DEFAULT_TENANT, job_id)

    assert (await rig.job(job_id)).job.state == "succeeded"
