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
