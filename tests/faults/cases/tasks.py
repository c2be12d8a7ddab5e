"""Tasks that die in their process, will not stop, return nonsense, or are unknown; and backlogs."""

import os
import signal
import time
from pathlib import Path

import asyncpg

from tests.faults.driver import Driver
from tests.faults.fleet import settle
from tests.faults.inbox import Arrival
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

TASKS = str(Path(__file__).parents[1] / "tasks.py")
STARTED_WITHIN_S = 5.0


async def pool_child_killed(stage: Stage) -> None:
    """A process of a worker's pool is killed, as by the kernel short of memory: only its own job is tried again."""
    entry = await stage.driver.submit_one("faults.process", {"seconds": 4.0})
    neighbour = await stage.driver.submit_one("faults.process", {"seconds": 5.0})
    await stage.load(20, 60)
    (job_id,), (other_id,) = entry.job_ids, neighbour.job_ids
    process_id = await eventually(lambda: _pool_process(stage, job_id), within_s=20, what="the job in its process")
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    stage.faults += 1
    for wanted, attempt in ((job_id, 2), (other_id, 1)):
        arrival = await _end_of(stage, wanted)
        if (arrival.type, arrival.data["attempt"]) != ("job.succeeded", attempt):
            raise AssertionError(f"{wanted} ended as {arrival.type} in attempt {arrival.data['attempt']}")


async def will_not_stop(stage: Stage) -> None:
    """Tasks ignore their time-out, on the loop, in a thread and in a process: each fails by it, and others run on."""
    kinds = ("faults.deaf", "faults.deaf-thread", "faults.deaf-process")
    entries = [await stage.driver.submit_one(kind, {"seconds": 25.0}, timeout_s=1, max_attempts=1) for kind in kinds]
    stage.faults += len(entries)
    await stage.load(30, 200)
    for entry in entries:
        (job_id,) = entry.job_ids
        arrival = await _end_of(stage, job_id)
        if arrival.type != "job.failed" or arrival.data["error"]["code"] != "timeout":
            raise AssertionError(f"{job_id} ended as {arrival.type}: {arrival.data['error']}")


async def nonsense_returned(stage: Stage) -> None:
    """Results that are no JSON, not what was declared, or 50 MB fail in words; one of 7 MB is delivered."""
    for kind in ("object", "shape", "huge"):
        entry = await stage.driver.submit_one("faults.result", {"echo": kind})
        stage.faults += 1
        (job_id,) = entry.job_ids
        arrival = await _end_of(stage, job_id)
        if arrival.type != "job.failed" or arrival.data["error"]["code"] != "result-invalid":
            raise AssertionError(f"the result {kind!r} ended as {arrival.type}: {arrival.data['error']}")
    entry = await stage.driver.submit_one("faults.result", {"echo": "large"})
    (job_id,) = entry.job_ids
    arrival = await _end_of(stage, job_id)
    if arrival.type != "job.succeeded":
        raise AssertionError(f"7 MB ended as {arrival.type}: {arrival.data['error']}")


async def unknown_to_workers(stage: Stage) -> None:
    """No worker knows a type: its jobs wait and say why, others run, and a worker that knows it finishes them."""
    entries = [await stage.driver.submit_one("faults.thread") for _ in range(5)]
    stage.faults += 1
    await stage.load(30, 100, type="demo.echo")
    await stage.loaded()
    (job_id,) = entries[0].job_ids
    await settle(3)
    _, job = await stage.api("GET", f"/v1/jobs/{job_id}")
    if job["state"] != "queued" or "faults.thread" not in (job["waiting_reason"] or ""):
        raise AssertionError(f"it is {job['state']} and says {job['waiting_reason']!r}")
    await stage.fleet.another("worker-new", "worker", TASKS=TASKS).start()


async def backlog_without_workers(stage: Stage) -> None:
    """Jobs wait three days (by their rows) before any worker exists: all of them run."""
    for worker in stage.fleet.workers:
        await worker.kill()
    await stage.load(300, 2_000)
    await stage.loaded()
    connection = await asyncpg.connect(stage.database_url)
    try:
        await connection.execute("UPDATE jobs SET created_at = created_at - interval '3 days', "
                                 "run_at = run_at - interval '3 days'")  # fmt: skip
    finally:
        await connection.close()
    stage.faults += 1
    for worker in stage.fleet.workers:
        await stage.fleet.revive(worker)


async def small_tenant_behind_a_large_one(stage: Stage) -> None:
    """One tenant has 5,000 jobs waiting when another submits ten: how long do the ten wait?"""
    small = Driver(stage.fleet.urls, stage.inbox.url, api_key=await stage.tenant("small"))
    await stage.load(1_500, 5_000, {"seconds": 0.1})
    await stage.loaded()
    stage.faults += 1
    began = time.monotonic()
    await small.run(100, 10)
    wanted = [job_id for entry in small.ledger.accepted for job_id in entry.job_ids]
    left = sum(not stage.inbox.has_taken(job_id) for entry in stage.driver.ledger.accepted for job_id in entry.job_ids)

    def all_done() -> bool:
        return all(stage.inbox.has_taken(job_id) for job_id in wanted)

    await eventually(all_done, within_s=90, what="the small tenant's jobs to be done")
    stage.notes["waiting_before_them"] = left
    stage.notes["ten_done_after_s"] = waited = time.monotonic() - began
    if waited > STARTED_WITHIN_S:
        stage.shortfalls.append(
            f"no fairness between tenants yet: ten jobs behind {left} of another's took {waited:.1f} s, "
            f"not {STARTED_WITHIN_S:g}"
        )


def _pool_process(stage: Stage, job_id: str) -> int | None:
    """The process in which that job runs, from its trace."""
    lines = stage.fleet.effects_path.read_text().splitlines() if stage.fleet.effects_path.exists() else []
    found = [line.rpartition(" pid-")[2] for line in lines if line.startswith(job_id) and " pid-" in line]
    return int(found[0]) if found else None


async def _end_of(stage: Stage, job_id: str, within_s: float = 60.0) -> Arrival:
    """The webhook that tells how a job ended."""
    await eventually(lambda: stage.inbox.has_taken(job_id), within_s=within_s, what=f"{job_id} to end")
    (arrival,) = stage.inbox.by_job[job_id]
    return arrival


_OLDER = {"worker": {"TASKS": "ringback.demo"}, "api": {"TASKS": f"{TASKS},ringback.demo"}}

TASK_CASES = (
    Case("F26", "process of a worker's pool killed", pool_child_killed, may_perform_twice=False),
    Case("F31", "tasks ignore their time-out", will_not_stop),
    Case("F32", "results that cannot be stored", nonsense_returned, refuse_share=0.0, apis=1, workers=1, notifiers=1),
    Case("F57", "2,000 jobs wait three days for a worker", backlog_without_workers, settle_s=60,
         may_perform_twice=False),
    Case("F61", "a task that no worker knows", unknown_to_workers, role_settings=_OLDER, workers=1,
         may_perform_twice=False),
    Case("F56", "ten jobs of one tenant behind 5,000 of another", small_tenant_behind_a_large_one, settle_s=90,
         refuse_share=0.0, may_perform_twice=False),
)  # fmt: skip
