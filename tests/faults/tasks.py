"""The tasks that the fleet runs: each leaves a trace outside Ringback, so that the oracle can count what was performed.

The trace is a line ``job attempt begin|end`` appended to the file that ``FAULTS_EFFECTS`` names; one small
``write`` on a file opened for appending is atomic on every local file system.
"""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ringback import Job, task


class Work(BaseModel):
    """How long to take, and what to give back."""

    seconds: float = 0.0
    echo: Any = None


class Done(BaseModel):
    """Which attempt did it."""

    attempt: int
    echo: Any = None


def _trace(job: Job, mark: str) -> None:
    line = f"{job.id} {job.attempt} {mark}\n".encode()
    handle = os.open(Path(os.environ["FAULTS_EFFECTS"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


@task("faults.work", timeout_s=60, max_attempts=5)
async def work(job: Job, payload: Work) -> Done:
    """Take a while on the loop, and leave a trace before and after."""
    _trace(job, "begin")
    await asyncio.sleep(payload.seconds)
    _trace(job, "end")
    return Done(attempt=job.attempt, echo=payload.echo)


@task("faults.block", timeout_s=120, max_attempts=3)
async def block(job: Job, payload: Work) -> Done:
    """Block the event loop: what a task should never do and some do."""
    _trace(job, "begin")
    time.sleep(payload.seconds)  # noqa: ASYNC251 - blocking the loop is the fault
    _trace(job, "end")
    return Done(attempt=job.attempt)


@task("faults.thread", timeout_s=60, max_attempts=5)
def thread(job: Job, payload: Work) -> Done:
    """Take a while in a thread."""
    _trace(job, "begin")
    time.sleep(payload.seconds)
    _trace(job, "end")
    return Done(attempt=job.attempt)


@task("faults.poison", timeout_s=60, max_attempts=10)
async def poison(job: Job, payload: Work) -> Done:
    """Kill the worker that runs it, as a segmentation fault in a C library would."""
    _trace(job, "begin")
    os.kill(os.getpid(), signal.SIGKILL)
    return Done(attempt=job.attempt, echo=payload.echo)


@task("faults.exit", timeout_s=60, max_attempts=2)
async def leave(job: Job, payload: Work) -> Done:
    """Try to leave the interpreter."""
    _trace(job, "begin")
    raise SystemExit(payload.echo or 3)


@task("faults.process", timeout_s=60, max_attempts=3, backoff_s=0.1, runs_in="process")
def in_process(job: Job, payload: Work) -> Done:
    """Take a while in a process of the pool, and tell in which."""
    _trace(job, f"pid-{os.getpid()}")
    time.sleep(payload.seconds)
    _trace(job, "end")
    return Done(attempt=job.attempt)


@task("faults.deaf")
async def deaf(job: Job, payload: Work) -> Done:
    """Go on whatever it is told."""
    ends_at = time.monotonic() + payload.seconds
    while time.monotonic() < ends_at:
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            continue
    return Done(attempt=job.attempt)


@task("faults.deaf-thread")
def deaf_thread(job: Job, payload: Work) -> Done:
    """Go on in a thread, which nobody can stop."""
    time.sleep(payload.seconds)
    return Done(attempt=job.attempt)


@task("faults.deaf-process", runs_in="process")
def deaf_process(job: Job, payload: Work) -> Done:
    """Go on in a process, deaf to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(payload.seconds)
    return Done(attempt=job.attempt)


@task("faults.result", max_attempts=2)
async def result(job: Job, payload: Work) -> Done:
    """Return something that is no result, or a large one."""
    _trace(job, "end")
    match payload.echo:
        case "object":
            return Done(attempt=job.attempt, echo=object())
        case "shape":
            return "not what was declared"  # type: ignore[return-value]  # the fault
        case "huge":
            return Done(attempt=job.attempt, echo="x" * 50_000_000)
        case _:
            return Done(attempt=job.attempt, echo="x" * 7_000_000)
