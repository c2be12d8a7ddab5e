"""Our own processes are killed, stopped, blocked and poisoned."""

import asyncio
import random
import signal
import time
from functools import partial

import asyncpg

from tests.faults.fleet import settle
from tests.faults.process import FleetProcess
from tests.faults.stage import Case, Stage
from tests.waiting import eventually

RESCUE_WITHIN_S = 20.0
BAD_SETTINGS = 78
"""EX_CONFIG of sysexits.h."""


async def kill_api_after_202(stage: Stage) -> None:
    """Both front ends are killed in turn, right after they have answered, and come back."""
    await stage.load(100, 600)
    chance = random.Random(1)  # noqa: S311 - a replayable schedule
    for number in range(8):
        await stage.submitted(60 * (number + 1))
        victim = stage.fleet.apis[chance.randrange(len(stage.fleet.apis))]
        await victim.kill()
        stage.faults += 1
        await stage.fleet.revive(victim)
    await stage.loaded()
    for url in stage.fleet.urls:
        await stage.fleet.ready(url)


async def kill_worker_amid_jobs(stage: Stage) -> None:
    """The worker that has most of twenty jobs in hand dies; they are run by the other one within 20 s."""
    await stage.load(200, 20, {"seconds": 3.0})
    await stage.loaded()

    async def is_running() -> bool:
        return stage.fleet.effects_path.exists() and stage.fleet.effects_path.read_text().count("begin") >= 20

    await eventually(is_running, within_s=10, what="twenty jobs to run")
    process_id, stage.notes["in_hand"] = await _busiest(stage)
    (victim,) = [worker for worker in stage.fleet.workers if worker.pid == process_id]
    killed = time.monotonic()
    await victim.kill()
    stage.faults += 1
    wanted = {job_id for entry in stage.driver.ledger.accepted for job_id in entry.job_ids}

    async def all_taken() -> bool:
        return all(stage.inbox.has_taken(job_id) for job_id in wanted)

    await eventually(all_taken, within_s=RESCUE_WITHIN_S + 10, what="the killed worker's jobs to end elsewhere")
    stage.notes["recovery_s"] = recovery_s = time.monotonic() - killed
    if recovery_s > RESCUE_WITHIN_S:
        stage.shortfalls.append(f"its jobs ended elsewhere after {recovery_s:.1f} s, not {RESCUE_WITHIN_S:g}")
    await stage.fleet.revive(victim)


async def _busiest(stage: Stage) -> tuple[int, int]:
    """The process that runs most jobs, and how many."""
    connection = await asyncpg.connect(stage.database_url)
    try:
        row = await connection.fetchrow(
            "SELECT i.pid, count(*) FROM jobs j JOIN instances i ON i.id = j.owner WHERE j.state = 'running' "
            "GROUP BY i.pid ORDER BY 2 DESC LIMIT 1"
        )
    finally:
        await connection.close()
    return row[0], row[1]


async def kill_workers_again_and_again(stage: Stage) -> None:
    """Workers are killed in turn while jobs of half a second flow."""
    await stage.load(40, None, {"seconds": 0.5})
    for number in range(6):
        await settle(1.5)
        victim = stage.fleet.workers[number % len(stage.fleet.workers)]
        await victim.kill()
        stage.faults += 1
        await stage.fleet.revive(victim)


async def kill_notifiers_amid_deliveries(stage: Stage) -> None:
    """Notifiers are killed while they send, and between the answer and its record."""
    await stage.load(100, 600)
    for number in range(6):
        await stage.submitted(90 * (number + 1))
        victim = stage.fleet.notifiers[number % len(stage.fleet.notifiers)]
        await victim.kill()
        stage.faults += 1
        await stage.fleet.revive(victim)


async def rolling_restart(stage: Stage) -> None:
    """Every process is asked to stop, in turn, twice, and started again, under load; each when the last one is up."""
    await stage.load(50, None, {"seconds": 0.2})
    for process in [*stage.fleet.processes, *stage.fleet.processes]:
        await settle(0.5)
        code = await process.terminate()
        stage.faults += 1
        if code != 0:
            raise AssertionError(f"{process.name} ended with {code} on SIGTERM")
        await stage.fleet.revive(process)
        await eventually(partial(_is_up, process), within_s=60, what=f"{process.name} to be up")


def _is_up(process: FleetProcess) -> bool:
    return process.is_up


async def stop_with_work_in_hand(stage: Stage) -> None:
    """A worker with some hundred jobs and a notifier with webhooks in flight are asked to stop: each ends with 0."""
    stage.inbox.delay_s = 1.0
    await stage.load(300, 300, {"seconds": 2.0})
    await stage.loaded()
    for process in (stage.fleet.workers[0], stage.fleet.notifiers[0]):
        stage.faults += 1
        code = await process.terminate()
        if code != 0:
            raise AssertionError(f"{process.name} ended with {code} on SIGTERM")
        await stage.fleet.revive(process)


async def lease_too_short(stage: Stage) -> None:
    """A lease that one late heartbeat would break is refused at start, with a sentence that names both settings."""
    refused = stage.fleet.another("worker-hasty", "worker", LEASE_S="5", HEARTBEAT_S="5")
    stage.faults += 1
    await refused.start()
    async with asyncio.timeout(20):
        code = await refused.wait()
    said = refused.log_text()
    if code != BAD_SETTINGS or not {"RINGBACK_LEASE_S", "RINGBACK_HEARTBEAT_S"} <= set(said.replace(",", " ").split()):
        raise AssertionError(f"it ended with {code} and said {said[-500:]}")
    await stage.load(20, 20)


async def block_the_loop(stage: Stage) -> None:
    """A task blocks its worker's event loop for 25 s, longer than a lease: the heartbeat goes on beside it."""
    await stage.driver.submit_one("faults.block", {"seconds": 25.0})
    stage.faults += 1
    await stage.load(20, 100)


async def poison(stage: Stage) -> None:
    """A job kills every worker that takes it; it ends as failed, and the fleet survives."""
    entry = await stage.driver.submit_one("faults.poison")
    stage.faults += 1
    await stage.load(10, 100)
    (job_id,) = entry.job_ids
    deadline = time.monotonic() + 120
    while not stage.inbox.has_taken(job_id):
        if time.monotonic() > deadline:
            raise AssertionError("the poisonous job did not end")
        for worker in stage.fleet.workers:
            if not worker.is_alive:
                await worker.start()
        await asyncio.sleep(0.2)
    (arrival,) = stage.inbox.by_job[job_id]
    if arrival.type != "job.failed" or arrival.data["error"]["code"] != "poison":
        raise AssertionError(f"the poisonous job ended as {arrival.type}: {arrival.data['error']}")
    for worker in stage.fleet.workers:
        if not worker.is_alive:
            await worker.start()


async def leave_the_interpreter(stage: Stage) -> None:
    """Tasks raise SystemExit: their attempts fail, and the worker goes on."""
    for _ in range(4):
        await stage.driver.submit_one("faults.exit")
        stage.faults += 1
    await stage.load(20, 60)


async def freeze_a_worker(stage: Stage) -> None:
    """A worker is stopped (SIGSTOP) for longer than its lease; what it says when it wakes is fenced off."""
    await stage.load(200, 20, {"seconds": 1.0})
    await stage.loaded()
    await settle(0.5)
    stage.fleet.workers[0].signal(signal.SIGSTOP)
    stage.faults += 1
    await settle(22)
    stage.fleet.workers[0].signal(signal.SIGCONT)
    await stage.load(20, 40)


async def kill_everything(stage: Stage) -> None:
    """The power goes: every process of ours dies at once, twice."""
    await stage.load(100)
    for _ in range(2):
        await settle(2)
        for process in stage.fleet.processes:
            process.signal(signal.SIGKILL)
            stage.faults += 1
        for process in stage.fleet.processes:
            await stage.fleet.revive(process)


async def kill_embedded(stage: Stage) -> None:
    """The one embedded process over SQLite is killed again and again under load."""
    await stage.load(100)
    for _ in range(8):
        await settle(1.2)
        await stage.fleet.apis[0].kill()
        stage.faults += 1
        await stage.fleet.revive(stage.fleet.apis[0])
    await stage.fleet.ready(stage.fleet.urls[0])


PROCESS_CASES = (
    Case("F43+F44+BB-54", "front end killed right after a 202", kill_api_after_202, is_quick=True),
    Case("F24", "worker killed amid 20 jobs", kill_worker_amid_jobs, is_quick=True),
    Case("F24+", "workers killed in turn under load", kill_workers_again_and_again, settle_s=60),
    Case("F54+BB-55+BB-56", "notifiers killed amid deliveries", kill_notifiers_amid_deliveries, is_quick=True),
    Case("F25+BB-65", "rolling restart under load", rolling_restart, may_perform_twice=False, may_receive_twice=False),
    Case("BB-65", "worker and notifier stopped with work in hand", stop_with_work_in_hand, may_perform_twice=False,
         may_receive_twice=False, settings={"CONCURRENCY": "128"}),
    Case("BB-66", "lease shorter than two heartbeats", lease_too_short, may_perform_twice=False,
         apis=1, workers=1, notifiers=1),
    Case("F28", "task blocks the event loop", block_the_loop, settle_s=60, may_perform_twice=False),
    Case("F30", "job kills every worker that takes it", poison, settle_s=60),
    Case("F29", "task raises SystemExit", leave_the_interpreter),
    Case("F24z", "worker frozen longer than its lease", freeze_a_worker),
    Case("F24+F43+F54", "every process killed at once", kill_everything, settle_s=60),
    Case("F40", "embedded process killed again and again", kill_embedded, settle_s=60, is_embedded=True),
)  # fmt: skip
