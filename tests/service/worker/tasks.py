"""Tasks that do everything a task can do, good and bad. Processes of the pool import this module by its name."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from threading import Event
from typing import Any

from pydantic import BaseModel

from ringback.job import Job
from ringback.outcomes import Fail, Retry
from ringback.task import task


class Sum(BaseModel):
    """Two numbers."""

    a: int
    b: int


class Total(BaseModel):
    """Their sum."""

    total: int


@task("good.sum")
async def add(job: Job, payload: Sum) -> Total:
    """Add."""
    return Total(total=payload.a + payload.b)


@task("good.thread")
def add_in_thread(job: Job, payload: Sum) -> Total:
    """Add, in a thread."""
    return Total(total=payload.a + payload.b)


@task("good.process", runs_in="process")
def add_in_process(job: Job, payload: Sum) -> Total:
    """Add, in a process; tell so."""
    job.progress_nowait(0.5, f"in {os.getpid()}")
    return Total(total=payload.a + payload.b)


@task("good.patient", max_attempts=2)
async def wait(job: Job, payload: float) -> str:
    """Sleep on the loop, with progress."""
    await job.progress(0.25, "asleep")
    await asyncio.sleep(payload)
    return "slept"


@task("good.garbled")
async def tell_garble(job: Job, payload: float) -> str:
    """Tell progress that is no text, and go on for a while."""
    await job.progress(0.5, "half \ud800 a \x00 pair")
    await asyncio.sleep(payload)
    return "done"


@task("good.flaky", backoff_s=0.01)
async def recover(job: Job, payload: int) -> int:
    """Fail the first so many attempts."""
    if job.attempt <= payload:
        raise ValueError(f"attempt {job.attempt}")
    return job.attempt


class _Abort(BaseException):
    """No Exception at all."""


def _recurse() -> None:
    _recurse()


def _raise_unprintable() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise Unprintable


def _raise(error: BaseException) -> Callable[[], None]:
    def throw() -> None:
        raise error

    return throw


BAD: dict[str, Callable[[], None]] = {
    "ValueError": _raise(ValueError("bad value")),
    "SystemExit": _raise(SystemExit(3)),
    "KeyboardInterrupt": _raise(KeyboardInterrupt()),
    "_Abort": _raise(_Abort("abort")),
    "GeneratorExit": _raise(GeneratorExit()),
    "CancelledError": _raise(asyncio.CancelledError()),
    "RecursionError": _recurse,
    "MemoryError": _raise(MemoryError()),
    "Unprintable": _raise_unprintable,
}
"""What a task may raise, by the name of the class."""


@task("bad.loop", max_attempts=1)
async def raise_on_loop(job: Job, payload: str) -> None:
    """Raise one of them."""
    BAD[payload]()


@task("bad.thread", max_attempts=1)
def raise_in_thread(job: Job, payload: str) -> None:
    """Raise one of them in a thread; StopIteration too, which no future can carry."""
    if payload == "StopIteration":
        raise StopIteration
    BAD[payload]()


@task("bad.process", runs_in="process", max_attempts=1)
def raise_in_process(job: Job, payload: str) -> None:
    """Raise one of them in a process."""
    BAD[payload]()


@task("bad.fail")
async def fail(job: Job, payload: str) -> None:
    """Fail for good."""
    raise Fail(payload)


@task("bad.retry")
async def retry(job: Job, payload: float) -> None:
    """Ask for another try in so many seconds."""
    raise Retry("not yet", in_s=payload)


RESULTS: dict[str, Callable[[], Any]] = {
    "object": object,
    "surrogate": lambda: "\ud800",
    "huge": lambda: "x" * (9 * 1024 * 1024),
    "bytes": lambda: b"\xff",
}
"""What cannot be a result."""


@task("bad.result")
async def give_nonsense(job: Job, payload: str) -> Any:
    """Return one of them."""
    return RESULTS[payload]()


@task("bad.shape")
async def give_other_shape(job: Job, payload: Any) -> Total:
    """Return whatever it was given as if it were a Total."""
    result: Total = payload
    return result


@task("slow.deaf")
async def ignore_cancellation(job: Job, payload: float) -> str:
    """Go on for so long, however often it is cancelled."""
    ends_at = time.monotonic() + payload
    while (left := ends_at - time.monotonic()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError:
            continue
    return "as if nothing had happened"


@task("slow.thread")
def sit_in_thread(job: Job, payload: float) -> str:
    """Block a thread."""
    Event().wait(payload)
    return "sat"


@task("slow.polite")
def look_for_cancel(job: Job, payload: float) -> str:
    """Block a thread, and look whether it shall stop."""
    ends_at = time.monotonic() + payload
    while not job.is_cancelled and time.monotonic() < ends_at:
        Event().wait(0.01)
    return "partial"


@task("slow.process", runs_in="process")
def sit_in_process(job: Job, payload: float) -> str:
    """Block a process."""
    job.progress_nowait(None, str(os.getpid()))
    time.sleep(payload)
    return "sat"


@task("slow.blocking")
async def block_loop(job: Job, payload: float) -> str:
    """Block the event loop."""
    time.sleep(payload)  # noqa: ASYNC251 - blocking the loop is the fault
    return "blocked"


@task("dead.process", runs_in="process", max_attempts=1)
def die(job: Job, payload: int) -> None:
    """Die as by the kernel's out-of-memory killer, or leave with an exit code."""
    if payload < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(payload)


ALL = [
    add,
    add_in_thread,
    add_in_process,
    wait,
    tell_garble,
    recover,
    raise_on_loop,
    raise_in_thread,
    raise_in_process,
    fail,
    retry,
    give_nonsense,
    give_other_shape,
    ignore_cancellation,
    sit_in_thread,
    look_for_cancel,
    sit_in_process,
    block_loop,
    die,
]
